import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { localExecutor } from './local-executor.ts';

let dir: string;
let server: Server | null = null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'daemon-'));
});
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = null;
  rmSync(dir, { recursive: true });
});

async function daemon(answer: RequestListener): Promise<string> {
  const path = join(dir, 'docker.sock');
  server = createServer(answer);
  await new Promise<void>((done) => server?.listen(path, done));
  return `unix://${path}`;
}

it('is Docker if a daemon answers, and processes if none listens', async () => {
  expect(await localExecutor('auto', `unix://${dir}/nothing`)).toBe('process');
  expect(await localExecutor('auto', await daemon((_, response) => response.end('OK')))).toBe(
    'docker',
  );
});

it('is Docker also if the daemon fails at the first request', async () => {
  let questions = 0;
  const host = await daemon((request, response) => {
    questions += 1;
    if (questions === 1) request.socket.destroy();
    else if (questions === 2) response.writeHead(503).end();
    else response.end('OK');
  });
  expect(await localExecutor('auto', host)).toBe('docker');
  expect(questions).toBe(3);
});
