/** The life of an nginx that answers by a fixed text. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NginxProcess, NginxRefusal, WrongConfiguration } from './nginx-process.ts';
import { findNginx } from './nginx-program.ts';

const program = findNginx() ?? '';
if (process.env.CI && program === '') throw new Error('nginx is missing');

const log = { debug() {}, info() {}, warn() {}, error() {} };

describe.skipIf(program === '')('nginx of our own', () => {
  let folder: string;
  let listener: Server;
  let nginx: NginxProcess;
  let port: number;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dstack-life-'));
    nginx = new NginxProcess(folder, log);
    listener = await listening(0);
    port = (listener.address() as AddressInfo).port;
  });
  afterEach(async () => {
    await nginx.stop();
    listener.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As a server that answers until nginx does. Others of its user may listen beside it. */
  async function listening(at: number): Promise<Server> {
    const server = createServer((_request, response) => response.end('node'));
    server.listen({ port: at, host: '127.0.0.1', reusePort: true });
    await once(server, 'listening');
    return server;
  }

  const temporary = () =>
    ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
  const answering = (word: string) => `
worker_processes 2; pid ${folder}/nginx.pid; error_log ${folder}/nginx-error.log warn;
events {}
http {
  access_log off; ${temporary()}
  server { listen 127.0.0.1:${port}; listen unix:${folder}/own.sock; return 200 "${word}"; }
}`;
  const descriptor = () => (listener as unknown as { _handle: { fd: number } })._handle.fd;
  const run = (word: string, more: { readonly listener?: number } = {}) =>
    nginx.run({
      ...{ program, configuration: answering(word), sockets: [join(folder, 'own.sock')] },
      ...more,
    });

  async function ask(): Promise<string> {
    const sent = request({ host: '127.0.0.1', port, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return await text(answer);
  }

  const pid = () => Number(readFileSync(join(folder, 'nginx.pid'), 'utf8'));
  const hasEnded = (id: number) => !existsSync(`/proc/${id}`);

  it('answers at a socket that this process has bound, and outlives its owner', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    expect(await ask()).toBe('first');
  });

  it('is found by the next process, which changes what it answers without an interruption', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const before = pid();
    nginx = new NginxProcess(folder, log);
    await run('first');
    await run('second');
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
    expect(pid()).toBe(before);
  });

  it('goes on with the configuration before one that is wrong', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const wrong = nginx.run({ program, configuration: 'nonsense;', sockets: [] });
    await expect(wrong).rejects.toThrow(WrongConfiguration);
    expect(await ask()).toBe('first');
  });

  it('is started again beside the workers of a master process that was killed', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    process.kill(pid(), 'SIGKILL');
    await vi.waitUntil(() => !nginx.isRunning, { timeout: 10_000 });
    // Its workers still answer.
    expect(await ask()).toBe('first');
    listener = await listening(port);
    await run('second', { listener: descriptor() });
    listener.close();
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
  });

  it('reports what keeps it from starting', async () => {
    const start = run('first');
    await expect(start).rejects.toThrow(NginxRefusal);
    await expect(start).rejects.toThrow(/Address already in use/);
  });

  it('ends when it is stopped', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const before = pid();
    await nginx.stop();
    await vi.waitUntil(() => hasEnded(before), { timeout: 10_000 });
    await expect(ask()).rejects.toThrow(/ECONNREFUSED/);
  });

  it('ends with workers that were left without a master process', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    process.kill(pid(), 'SIGKILL');
    await vi.waitUntil(() => !nginx.isRunning, { timeout: 10_000 });
    await nginx.stop();
    await vi.waitUntil(
      () =>
        ask().then(
          () => false,
          () => true,
        ),
      { timeout: 10_000 },
    );
  });
});
