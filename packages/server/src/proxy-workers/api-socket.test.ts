import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ApiSocket } from './api-socket.ts';

function socketPath(): string {
  const parent = mkdtempSync(join(tmpdir(), 'api-socket-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return join(parent, 'sockets', 'server.sock');
}

it('its folder is removed at its end', async () => {
  const path = socketPath();
  const socket = new ApiSocket({ path, http: createServer(), client: () => null });
  await socket.listen();
  expect(existsSync(path)).toBe(true);
  socket.close();
  expect(existsSync(dirname(path))).toBe(false);
});

it('its folder stays while workers have sockets in it', async () => {
  const path = socketPath();
  const socket = new ApiSocket({ path, http: createServer(), client: () => null });
  await socket.listen();
  const worker = join(dirname(path), 'worker.sock');
  writeFileSync(worker, '');
  socket.close();
  expect([existsSync(path), existsSync(worker)]).toEqual([false, true]);
});
