import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEventLogger } from './host/log.ts';
import { listenAt } from './listening.ts';

let dir = '';
let path = '';
let http: Server;
let stop: () => void;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'listening-'));
  path = join(dir, 'own', 'agent.sock');
  http = createServer((_, response) => response.end('here'));
  stop = await listenAt({ http, path, lookMs: 5, log: createEventLogger(() => {}) });
});
afterEach(() => {
  stop();
  http.closeAllConnections();
  rmSync(dir, { recursive: true });
});

function ask(): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path }, (response) => {
      response.setEncoding('utf8').on('data', resolve);
    });
    asked.on('error', reject).end();
  });
}

describe('a socket that is removed', () => {
  it('exists again', async () => {
    rmSync(path);
    await once(http, 'listening');
    expect(await ask()).toBe('here');
  });

  it('exists again with its folder, with the same owner and mode', async () => {
    const folder = dirname(path);
    chmodSync(folder, 0o2750);
    stop();
    stop = await listenAt({ http, path, lookMs: 5, log: createEventLogger(() => {}) });
    rmSync(folder, { recursive: true });
    await once(http, 'listening');
    expect(await ask()).toBe('here');
    expect(statSync(folder).mode & 0o7777).toBe(0o2750);
  });

  it('ends no connection', async () => {
    const open = connect(path);
    await once(open, 'connect');
    rmSync(path);
    await once(http, 'listening');
    open.write('GET / HTTP/1.1\r\nhost: agent\r\n\r\n');
    expect(String((await once(open, 'data'))[0])).toContain('here');
    open.destroy();
  });

  it('is not made again after the listener was closed', async () => {
    stop();
    expect(existsSync(path)).toBe(false);
    await once(http, 'close');
    expect(http.listening).toBe(false);
  });
});
