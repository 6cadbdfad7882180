/** The life of an nginx that answers by a fixed text. */
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NginxProcess, NginxRefusal, type NginxRun, WrongConfiguration } from './nginx-process.ts';
import { findNginx } from './nginx-program.ts';
import { workersOf } from './nginx-reload.ts';
import { processesWith } from './port-holders.ts';

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
  const run = (word: string, more: Partial<NginxRun> = {}) =>
    nginx.run({
      ...{ program, configuration: answering(word), sockets: [join(folder, 'own.sock')] },
      ...more,
    });

  /** nginx, which writes its variables and arguments down first. */
  function notingProgram(what: string): string {
    const path = join(folder, 'noting.sh');
    const script = `#!/bin/sh\necho "${what}" >> ${folder}/noted\nexec ${program} "$@"\n`;
    writeFileSync(path, script, { mode: 0o755 });
    return path;
  }

  async function ask(): Promise<string> {
    const sent = request({ host: '127.0.0.1', port, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return await text(answer);
  }

  const pid = () => Number(readFileSync(join(folder, 'nginx.pid'), 'utf8'));
  const hasEnded = (id: number) => !existsSync(`/proc/${id}`);

  /** Once it has workers, which then go on without it. */
  async function killMaster(): Promise<void> {
    const workers = () => processesWith(join(folder, 'nginx-error.log'), 'nginx: worker');
    await vi.waitUntil(() => workers().length === 2, { timeout: 10_000 });
    process.kill(pid(), 'SIGKILL');
    await vi.waitUntil(() => !nginx.isRunning, { timeout: 10_000 });
  }

  it('answers at a socket that this process has bound, and outlives its owner', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    expect(await ask()).toBe('first');
  });

  it('has the environment that it is given, and nothing else of its owner', async () => {
    const env = { PATH: process.env.PATH, OWN: 'given' };
    const noting = notingProgram('$OWN$HOME');
    await run('first', { listener: descriptor(), program: noting, env });
    expect(readFileSync(join(folder, 'noted'), 'utf8')).toBe('given\ngiven\n');
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

  it('goes on with the configuration before one whose address another program has, and takes it over once that is free', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const both = `listen 127.0.0.1:${(other.address() as AddressInfo).port}; return`;
    const second = { configuration: answering('second').replace('return', both) };
    const change = run('second', second);
    await expect(change).rejects.toThrow(NginxRefusal);
    await expect(change).rejects.toThrow(/Address already in use/);
    expect(await ask()).toBe('first');
    other.close();
    await once(other, 'close');
    await run('second', second);
    expect(await ask()).toBe('second');
  });

  it('believes no client that writes to its log that the configuration was refused', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const real = process.kill.bind(process);
    const kill = vi.spyOn(process, 'kill').mockImplementation((id, signal) => {
      const line =
        '2026/01/02 03:04:05 [error] 7#7: *1 no live upstreams, request: "GET /[emerg] HTTP/1.1"';
      if (signal === 'SIGHUP') appendFileSync(join(folder, 'nginx-error.log'), `${line}\n`);
      return real(id, signal);
    });
    await run('second').finally(() => kill.mockRestore());
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
    await run('second');
    expect(existsSync(join(folder, 'nginx.conf.before'))).toBe(false);
  });

  it('takes over a configuration although its log was removed', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    rmSync(join(folder, 'nginx-error.log'));
    await run('second');
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
  });

  it('holds its address, also without its log, until the last worker has ended', async () => {
    await run('first', { listener: descriptor() });
    await vi.waitUntil(() => workersOf(pid()).length === 2, { timeout: 10_000 });
    rmSync(join(folder, 'nginx-error.log'));
    process.kill(pid(), 'SIGKILL');
    await vi.waitUntil(() => !nginx.isRunning, { timeout: 10_000 });
    expect(nginx.isListening).toBe(true);
    await nginx.stop();
    await vi.waitUntil(() => !nginx.isListening, { timeout: 10_000 });
  });

  it('takes over a configuration whose change was interrupted', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    // The owner is killed before it can notify nginx.
    const kill = vi.spyOn(process, 'kill').mockImplementation((_pid, signal) => {
      if (signal === 'SIGHUP') throw new Error('killed');
      return true;
    });
    await expect(run('second'))
      .rejects.toThrow('killed')
      .finally(() => kill.mockRestore());
    nginx = new NginxProcess(folder, log);
    await run('second');
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
  });

  it('can be started when it was killed while it was to take over a configuration', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    const real = process.kill.bind(process);
    const kill = vi
      .spyOn(process, 'kill')
      .mockImplementation((id, signal) => real(id, signal === 'SIGHUP' ? 'SIGKILL' : signal));
    await expect(run('second'))
      .rejects.toThrow('nginx has ended')
      .finally(() => kill.mockRestore());
    expect(await ask()).toBe('first');
    listener = await listening(port);
    await run('second', { listener: descriptor() });
    listener.close();
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
  });

  it('is started again beside the workers of a master process that was killed', async () => {
    await run('first', { listener: descriptor() });
    listener.close();
    await killMaster();
    // Its workers still answer.
    expect(await ask()).toBe('first');
    listener = await listening(port);
    await run('second', { listener: descriptor() });
    listener.close();
    await vi.waitUntil(async () => (await ask()) === 'second', { timeout: 10_000 });
  });

  it('holds its address until the last worker has ended', async () => {
    expect(nginx.isListening).toBe(false);
    await run('first', { listener: descriptor() });
    expect(nginx.isListening).toBe(true);
    await killMaster();
    expect(nginx.isListening).toBe(true);
    await nginx.stop();
    await vi.waitUntil(() => !nginx.isListening, { timeout: 10_000 });
  });

  it('reports what keeps it from starting', async () => {
    const start = run('first');
    await expect(start).rejects.toThrow(NginxRefusal);
    await expect(start).rejects.toThrow(/Address already in use/);
  });

  it('is checked with the socket that it is to take over, whose address its user may not be able to bind', async () => {
    await run('first', { listener: descriptor(), program: notingProgram('$NGINX $1') });
    expect(readFileSync(join(folder, 'noted'), 'utf8')).toBe('3; -t\n3; -c\n');
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
    await killMaster();
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
