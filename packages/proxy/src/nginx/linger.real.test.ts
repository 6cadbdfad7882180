/** nginx without the server that it belongs to. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { luaFolder } from './lua-files.ts';
import { NginxProcess } from './nginx-process.ts';
import { findNginx, luaModules } from './nginx-program.ts';
import { inLua, plainShared, plainSocket } from './plain-configuration.ts';
import { type Control, controlOf } from './plain-control.ts';
import { hasLua } from './testing/lua-nginx.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const LINGER_MS = 300;

describe.skipIf(!hasLua)('nginx that its server has left', () => {
  let folder: string;
  let behind: string;
  let nginx: NginxProcess;
  let control: Control;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dstack-linger-'));
    behind = join(folder, 'behind.sock');
    mkdirSync(join(folder, 'tls'));
    nginx = new NginxProcess(folder, log);
    control = controlOf(plainSocket(folder));
  });
  afterEach(async () => {
    await nginx.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    const program = findNginx() ?? '';
    const plain = { folder: luaFolder(folder), timeoutMs: 5000, lingerMs: LINGER_MS };
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/${name};`)
      .join(' ');
    const modules = luaModules(program) ?? [];
    const configuration = `${modules.map((path) => `load_module ${path};`).join(' ')}
${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 2;
pid ${folder}/nginx.pid; error_log ${folder}/nginx-error.log warn;
events {}
http {
  access_log off; ${temporary}
${plainShared({ modules, ...plain }, folder, inLua([behind]))}}`;
    await nginx.run({ program, configuration, sockets: [plainSocket(folder)] });
  }

  const hasEnded = () => vi.waitUntil(() => !nginx.isListening, { timeout: 10_000 });

  it('ends, also if no server has ever reached it', async () => {
    await start();
    await hasEnded();
  });

  it('goes on while a server keeps it up to date, and ends after that', async () => {
    await start();
    await control('/tick', '1500');
    const began = performance.now();
    await hasEnded();
    expect(performance.now() - began).toBeGreaterThan(1500);
  });

  it('goes on while a process listens behind it', async () => {
    const server = createServer((socket) => {
      looks += 1;
      socket.destroy();
    });
    let looks = 0;
    server.listen(behind);
    await once(server, 'listening');
    await start();
    await vi.waitUntil(() => looks >= 4, { timeout: 10_000 });
    expect(nginx.isRunning).toBe(true);
    server.close();
    await hasEnded();
  });

  it('ends with workers whose master process was killed', async () => {
    await start();
    process.kill(Number(readFileSync(join(folder, 'nginx.pid'), 'utf8')), 'SIGKILL');
    await hasEnded();
  });
});
