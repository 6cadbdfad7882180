/** nginx before a server sees the end of each request where those see it who answer it. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  type Control,
  controlOf,
  findNginx,
  luaFolder,
  luaModules,
  NginxProcess,
  plainSocket,
} from '@dstack/proxy';
import { smugglingCases } from '@dstack/proxy/testing';
import { freePort } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { serverConfiguration } from './configuration.ts';

const program = findNginx() ?? '';
const modules = program === '' ? null : luaModules(program);
if (process.env.CI && modules === null) throw new Error('nginx or its module for Lua is missing');

const log = { debug() {}, info() {}, warn() {}, error() {} };
const PLAIN = '/proxy/services/main/web/';
const API = '/api/';

describe.skipIf(modules === null)('nginx before a server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dstack-smuggling-'));
  const nginx = new NginxProcess(folder, log);
  /** What the app and the server have received: the address of the client as nginx has described it. */
  const seen = { app: [] as string[], server: [] as string[] };
  let port: number;
  let app: Server;
  let server: Server;

  beforeAll(async () => {
    for (const name of ['tls', 'tmp']) mkdirSync(join(folder, name));
    const behind = join(folder, 'behind.sock');
    app = answering('app', 'x-forwarded-for');
    server = answering('server', 'x-dstack-gateway-address');
    app.listen(0, '127.0.0.1');
    server.listen(behind);
    await Promise.all([once(app, 'listening'), once(server, 'listening')]);
    port = await freePort();
    await nginx.run({
      program,
      configuration: serverConfiguration({
        ...{ folder, behind, listen: `127.0.0.1:${port}`, processes: 1, servicesDomain: null },
        isRoot: process.getuid?.() === 0,
        plain: { modules: modules ?? [], folder: luaFolder(folder), timeoutMs: 5000 },
      }),
      sockets: [plainSocket(folder)],
    });
    await leadTo((app.address() as AddressInfo).port, controlOf(plainSocket(folder)));
  });

  afterAll(async () => {
    await nginx.stop();
    for (const one of [app, server]) {
      one.closeAllConnections();
      one.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function answering(name: 'app' | 'server', header: string): Server {
    return createServer(async (asked, answer) => {
      seen[name].push(String(asked.headers[header]));
      asked.on('error', () => {});
      answer.on('error', () => {}).setHeader('x-by', name);
      asked.resume().on('end', () => answer.end(asked.url));
    }).on('clientError', (_error, socket) => socket.destroy());
  }

  /** nginx itself passes on the requests to the service. */
  async function leadTo(appPort: number, control: Control): Promise<void> {
    await vi.waitFor(() => control('/live'), { timeout: 10_000 });
    const line = `s\tp:main/web\trun\t0000\tmain\tweb\tjob,127.0.0.1,${appPort},0,0`;
    await control('/push?all', line);
    await control('/tick', '600000');
  }

  async function ask(path: string): Promise<[by: unknown, path: string]> {
    const sent = request({ host: '127.0.0.1', port, path, agent: false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return [answer.headers['x-by'], await text(answer)];
  }

  /** While it is answered or refused, others are answered well. */
  async function send(sent: string, path: string): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {}).resume();
    socket.write(sent, 'latin1');
    for (let n = 0; n < 6; n++) {
      // An answer to another request would be of another path.
      const own = `${path}own-${n}`;
      expect(await ask(own)).toEqual([path === PLAIN ? 'app' : 'server', own]);
    }
    socket.destroy();
  }

  it.each([
    ['the app', PLAIN],
    ['the server', API],
  ])(
    'nothing in a request to %s is taken for a request of its own that nginx has not seen',
    async (_to, path) => {
      for (const { what, sent } of smugglingCases(path, 'api.test')) {
        await send(sent, path);
        const all = [...seen.app.splice(0), ...seen.server.splice(0)];
        expect([what, new Set(all)]).toEqual([what, new Set(['127.0.0.1'])]);
      }
    },
  );
});
