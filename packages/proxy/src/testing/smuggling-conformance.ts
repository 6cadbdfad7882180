/** A front of nginx sees the end of each request where those see it who answer it. */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { luaFolder } from '../nginx/lua-files.ts';
import { NginxProcess } from '../nginx/nginx-process.ts';
import { findNginx, luaModules } from '../nginx/nginx-program.ts';
import { type PlainOptions, plainSocket } from '../nginx/plain-configuration.ts';
import { controlOf } from '../nginx/plain-control.ts';
import { smugglingCases } from './smuggling-cases.ts';

export interface SmugglingFront {
  readonly name: string;
  readonly configuration: (given: {
    readonly folder: string;
    readonly port: number;
    /** Unix socket of who answers what nginx does not. */
    readonly behind: string;
    readonly plain: PlainOptions;
  }) => string;
  /** Of the app in nginx's table. */
  readonly key: string;
  /** Requests to the app, and to who is behind nginx. */
  readonly app: Place;
  readonly behind: Place;
  /** Group id of nginx's workers; null = that of this process. */
  readonly group: number | null;
}

interface Place {
  readonly host: string;
  /** Ends with a slash. */
  readonly path: string;
}

const log = { debug() {}, info() {}, warn() {}, error() {} };

export function smugglingConformance(front: SmugglingFront, freePort: () => Promise<number>): void {
  const program = findNginx() ?? '';
  const modules = program === '' ? null : luaModules(program);
  if (process.env.CI && modules === null) throw new Error('nginx or its module for Lua is missing');

  describe.skipIf(modules === null)(front.name, () => {
    const folder = mkdtempSync(join(tmpdir(), 'dstack-smuggling-'));
    const nginx = new NginxProcess(folder, log);
    /** The addresses of clients as nginx has described them. */
    const seen: string[] = [];
    const app = answering('app', 'x-forwarded-for');
    const server = answering('behind', 'x-dstack-gateway-address');
    let port: number;

    beforeAll(async () => {
      chmodSync(folder, 0o711);
      for (const name of ['tls', 'tmp', 'acme']) mkdirSync(join(folder, name));
      if (front.group !== null) chownSync(join(folder, 'tls'), 0, front.group);
      chmodSync(join(folder, 'tls'), 0o750);
      const behind = join(folder, 'behind.sock');
      app.listen(0, '127.0.0.1');
      server.listen({ path: behind, writableAll: true });
      await Promise.all([once(app, 'listening'), once(server, 'listening')]);
      port = await freePort();
      const plain = { modules: modules ?? [], folder: luaFolder(folder), timeoutMs: 5000 };
      const configuration = front.configuration({ folder, port, behind, plain });
      await nginx.run({ program, configuration, sockets: [plainSocket(folder)] });
      await leadToApp();
    });

    afterAll(async () => {
      await nginx.stop();
      for (const one of [app, server]) {
        one.closeAllConnections();
        one.close();
      }
      rmSync(folder, { recursive: true, force: true });
    });

    function answering(name: string, header: string): Server {
      return createServer((asked, answer) => {
        seen.push(String(asked.headers[header]));
        asked.on('error', () => {});
        answer.on('error', () => {}).setHeader('x-by', name);
        asked.resume().on('end', () => answer.end(asked.url));
      }).on('clientError', (_error, socket) => socket.destroy());
    }

    /** nginx itself passes on these requests. */
    async function leadToApp(): Promise<void> {
      const control = controlOf(plainSocket(folder));
      await vi.waitFor(() => control('/live'), { timeout: 10_000 });
      const at = `127.0.0.1,${(app.address() as AddressInfo).port},0,0`;
      await control('/push?all', `s\t${front.key}\trun\t0000\tmain\tweb\tjob,${at}`);
      await control('/tick', '600000');
    }

    async function ask({ host }: Place, path: string): Promise<[by: unknown, path: string]> {
      const options = { host: '127.0.0.1', port, path, agent: false, headers: { host } };
      const [answer] = (await once(request(options).end(), 'response')) as [IncomingMessage];
      return [answer.headers['x-by'], await text(answer)];
    }

    /** While it is answered or refused, others are answered well. */
    async function send(sent: string, by: 'app' | 'behind'): Promise<void> {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {}).resume();
      socket.write(sent, 'latin1');
      for (let n = 0; n < 6; n++) {
        // An answer to another request would be of another path.
        const own = `${front[by].path}own-${n}`;
        expect(await ask(front[by], own)).toEqual([by, own]);
      }
      socket.destroy();
    }

    it.each(['app', 'behind'] as const)(
      'passes on nothing in a request (to: %s) as a request of its own that it has not seen',
      async (by) => {
        for (const { what, sent } of smugglingCases(front[by].path, front[by].host)) {
          await send(sent, by);
          expect([what, new Set(seen.splice(0))]).toEqual([what, new Set(['127.0.0.1'])]);
        }
      },
    );
  });
}
