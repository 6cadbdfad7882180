import { createServer } from 'node:http';
import { DatabaseAwayError } from '@dstack/store';
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

it('a database that is away is a refusal for now, without its reason', async () => {
  const app = baseHttp(deps);
  app.post('/api/runs/list', () => {
    throw new DatabaseAwayError(new Error('connect ECONNREFUSED 10.0.0.5:5432'));
  });
  const { statusCode, headers, json } = await app.inject({ method: 'POST', url: '/api/runs/list' });
  expect({ statusCode, after: headers['retry-after'] }).toEqual({ statusCode: 503, after: '5' });
  const { code, detail } = json();
  expect(code).toBe('database_unreachable');
  expect(detail).toMatch(/^The database of this server does not answer;/);
  expect(detail).not.toContain('10.0.0.5');
});
