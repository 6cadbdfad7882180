import { createServer } from 'node:http';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { baseHttp, type MakeServer } from './base-http.ts';
import { connectionRules } from './intake/open-connections.ts';
import { Shutdown } from './shutdown.ts';

const deps = {
  ...{ log: pino({ level: 'silent' }), shutdown: new Shutdown(), origins: null },
  connections: connectionRules({ idle: 100, files: 100_000, isProxy: () => false }),
};

const workersOwn: MakeServer = (handle, options) => createServer(options, handle);

describe.each([
  ['the server', undefined],
  ['a worker of the proxy', workersOwn],
])('connections to %s', (_whose, makeServer) => {
  const { server } = baseHttp(deps, makeServer);

  it('may take any time to upload a body, but not for its head', () => {
    expect(server.requestTimeout).toBe(0);
    expect(server.headersTimeout).toBe(60_000);
  });

  it('stay open for longer than those of load balancers', () => {
    expect(server.keepAliveTimeout).toBeGreaterThan(60_000);
  });
});
