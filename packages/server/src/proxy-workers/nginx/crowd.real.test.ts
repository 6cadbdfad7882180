/** nginx before a server, with few connections of which strangers want all. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { findNginx, luaFolder, luaModules, NginxProcess, plainSocket } from '@dstack/proxy';
import { freePort } from '@dstack/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serverConfiguration } from './configuration.ts';

const program = findNginx() ?? '';
const modules = program === '' ? null : luaModules(program);
if (process.env.CI && modules === null) throw new Error('nginx or its module for Lua is missing');

const log = { debug() {}, info() {}, warn() {}, error() {} };
/** Files and connections of nginx. */
const MOST = 240;
const HALF = 'GET / HTTP/1.1\r\nHost: x\r\n';
const PATIENCE = { timeout: 15_000 };

describe.skipIf(modules === null)('nginx before a server', () => {
  let folder: string;
  let port: number;
  let nginx: NginxProcess;
  let server: Server;
  let open: Socket[];
  /** Answers that `/held` waits for. */
  let held: (() => void)[];

  beforeEach(() => start());

  /** `app`: the port at which the server behind nginx listens; a unix socket by default. `http2`: another port of nginx. */
  async function start({ app, http2 }: { app?: number; http2?: number } = {}): Promise<void> {
    folder = mkdtempSync(join(tmpdir(), 'dstack-crowd-'));
    for (const name of ['tls', 'tmp']) mkdirSync(join(folder, name));
    const behind = join(folder, 'behind.sock');
    open = [];
    held = [];
    server = createServer(({ url }, answer) => {
      if (url === '/held') held.push(() => answer.end('held'));
      else answer.end('server');
    });
    if (app === undefined) server.listen(behind);
    else server.listen(app, '127.0.0.1');
    await once(server, 'listening');
    port = await freePort();
    const second = http2 === undefined ? '' : `    listen ${http2} http2;\n`;
    nginx = new NginxProcess(folder, log);
    await nginx.run({
      program,
      configuration: serverConfiguration({
        ...{ folder, behind, listen: `0.0.0.0:${port}`, processes: 1, servicesDomain: null },
        ...{ isRoot: process.getuid?.() === 0, mostFiles: MOST },
        plain: { modules: modules ?? [], folder: luaFolder(folder), timeoutMs: 5000 },
      })
        .replace(`unix:${behind} `, `${app === undefined ? `unix:${behind}` : `127.0.0.1:${app}`} `)
        .replace('    server_name _;', `${second}$&`),
      sockets: [plainSocket(folder)],
    });
    await vi.waitUntil(() => isAnswered('127.0.0.9'), PATIENCE);
  }

  afterEach(stop);

  async function stop(): Promise<void> {
    for (const socket of open) socket.destroy();
    await nginx.stop();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }

  /** `from`: an address of this computer; each is a network of its own. */
  function dial(sent: string, from: string): Socket {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    socket.on('error', () => {}).write(sent);
    open.push(socket);
    return socket;
  }

  async function ask(from: string, path = '/'): Promise<string> {
    const options = { host: '127.0.0.1', port, path, localAddress: from, agent: false };
    const [answer] = (await once(get(options), 'response')) as [IncomingMessage];
    return await text(answer);
  }

  const hasMadeRoom = () =>
    /connections without a request were closed, as there are \d+ of 240/.test(
      readFileSync(join(folder, 'nginx-error.log'), 'utf8'),
    );

  const isAnswered = (from: string) =>
    ask(from).then(
      (body) => body === 'server',
      () => false,
    );

  /** Until there is no connection left for others, and then nginx has made room. */
  async function flood(from: string): Promise<void> {
    do {
      for (let i = 0; i < MOST / 4; i++) dial(HALF, from);
    } while (!hasMadeRoom() && (await isAnswered('127.0.0.8')));
    await vi.waitUntil(hasMadeRoom, PATIENCE);
  }

  it('answers other networks, and later callers of its own, beside more half heads than it has connections', async () => {
    await flood('127.0.0.1');
    await vi.waitUntil(() => isAnswered('127.0.0.2'), PATIENCE);
    await vi.waitUntil(() => isAnswered('127.0.0.1'), PATIENCE);
  });

  it('keeps connections with a request under way, and the few half heads of another network', async () => {
    const answer = ask('127.0.0.1', '/held');
    const few = dial(`${HALF}\r\n`, '127.0.0.2');
    await once(few, 'data');
    few.write(HALF);
    await vi.waitUntil(() => held.length === 1, PATIENCE);
    // nginx has read it: until then, it closes connections by itself when it has too many.
    expect(await ask('127.0.0.3')).toBe('server');
    await flood('127.0.0.1');
    few.write('\r\n');
    expect(String((await once(few, 'data'))[0])).toContain('200 OK');
    held[0]?.();
    expect(await answer).toBe('held');
  });

  it('closes half heads before a connection of the same network that waits for its next request', async () => {
    const kept = dial(`${HALF}\r\n`, '127.0.0.1');
    expect(String((await once(kept, 'data'))[0])).toContain('200 OK');
    // Fewer than those for which nginx by itself closes connections that wait.
    for (let i = 0; i < MOST * 0.6; i++) dial(HALF, '127.0.0.1');
    await vi.waitUntil(hasMadeRoom, PATIENCE);
    const next = once(kept, 'data', { signal: AbortSignal.timeout(PATIENCE.timeout) });
    kept.write(`${HALF}\r\n`);
    expect(String((await next)[0])).toContain('200 OK');
  });

  it('keeps a connection of HTTP/2 while one of its requests is under way', async () => {
    await stop();
    const http2 = await freePort();
    await start({ http2 });
    const session = connectHttp2(`http://127.0.0.1:${http2}`);
    const answers = ['/held', '/'].map((path) => text(session.request({ ':path': path })));
    expect(await answers[1]).toBe('server');
    await flood('127.0.0.1');
    held[0]?.();
    expect(await answers[0]).toBe('held');
    session.close();
  });

  it('keeps its own connections to who answers, which have addresses too', async () => {
    await stop();
    await start({ app: await freePort() });
    const many = Math.floor(MOST * 0.4);
    const answers = Array.from({ length: many }, () => ask('127.0.0.1', '/held'));
    await vi.waitUntil(() => held.length === many, PATIENCE);
    await flood('127.0.0.2');
    for (const answer of held) answer();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['held']));
  });
});
