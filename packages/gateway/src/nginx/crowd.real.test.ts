/** nginx of a gateway, with few connections of which a stranger wants all. */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { findNginx, luaFolder, luaModules, NginxProcess, plainSocket } from '@dstack/proxy';
import { freePort } from '@dstack/testkit';
import { afterEach, beforeEach, describe, it, vi } from 'vitest';
import { webUser } from '../web-user.ts';
import { nginxConfiguration } from './configuration.ts';

const program = findNginx() ?? '';
const modules = program === '' ? null : luaModules(program);
if (process.env.CI && modules === null) throw new Error('nginx or its module for Lua is missing');

const log = { debug() {}, info() {}, warn() {}, error() {} };
const MOST = 240;
const HALF = 'GET / HTTP/1.1\r\nHost: x\r\n';
const PATIENCE = { timeout: 15_000 };

describe.skipIf(modules === null)('nginx of a gateway', () => {
  let runtime: string;
  let port: number;
  let nginx: NginxProcess;
  let worker: Server;
  let open: Socket[];

  beforeEach(() => start());
  afterEach(stop);

  /** `bound`: connections above half of which nginx makes room. */
  async function start(bound = MOST): Promise<void> {
    runtime = mkdtempSync(join(tmpdir(), 'dstack-crowd-'));
    chmodSync(runtime, 0o711);
    for (const name of ['tls', 'tmp', 'acme']) mkdirSync(join(runtime, name));
    const user = webUser();
    if (user !== null) chownSync(join(runtime, 'tls'), 0, user.group);
    chmodSync(join(runtime, 'tls'), 0o750);
    open = [];
    const socket = join(runtime, 'worker.sock');
    worker = createServer((_, answer) => answer.end('worker'));
    worker.listen({ path: socket, writableAll: true });
    await once(worker, 'listening');
    port = await freePort();
    nginx = new NginxProcess(runtime, log);
    const configuration = nginxConfiguration({
      ...{
        runtime,
        user: user?.name ?? null,
        httpPort: port,
        httpsPort: null,
        maxBody: 0,
        hsts: 0,
      },
      ...{ workers: [socket], acmeProof: null, acmeSocket: null, streamModule: null },
      ...{ hasHttp2Directive: false, hasCertificateCache: false, hasIpv6: false },
      plain: {
        ...{ modules: modules ?? [], folder: luaFolder(runtime), timeoutMs: 5000 },
        connections: bound,
      },
    });
    await nginx.run({
      program,
      configuration: configuration
        .replace(/worker_connections \d+/, `worker_connections ${MOST}`)
        .replace('worker_processes 2', 'worker_processes 1'),
      sockets: [plainSocket(runtime)],
    });
    await vi.waitUntil(() => isAnswered('127.0.0.9'), PATIENCE);
  }

  async function stop(): Promise<void> {
    for (const socket of open) socket.destroy();
    await nginx.stop();
    worker.closeAllConnections();
    worker.close();
    rmSync(runtime, { recursive: true, force: true });
  }

  /** `from`: an address of this computer; each is a network of its own. */
  async function isAnswered(from: string): Promise<boolean> {
    const asked = get({ host: '127.0.0.1', port, localAddress: from, agent: false });
    const [answer] = (await once(asked, 'response').catch(() => [null])) as [
      IncomingMessage | null,
    ];
    return answer !== null && (await text(answer)) === 'worker';
  }

  const hasMadeRoom = () =>
    /connections without a request were closed/.test(
      readFileSync(join(runtime, 'nginx-error.log'), 'utf8'),
    );

  it('answers other networks beside more half heads than it has connections', async () => {
    for (let i = 0; i < 2 * MOST; i++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.1' });
      socket.on('error', () => {}).write(HALF);
      open.push(socket);
    }
    await vi.waitUntil(hasMadeRoom, PATIENCE);
    await vi.waitUntil(() => isAnswered('127.0.0.2'), PATIENCE);
  });

  it('makes room also while its own files alone are more than the bound', async () => {
    await stop();
    await start(4);
    const socket = connect({ port, host: '127.0.0.1' });
    open.push(socket);
    socket.write(HALF);
    await vi.waitUntil(hasMadeRoom, PATIENCE);
  });
});
