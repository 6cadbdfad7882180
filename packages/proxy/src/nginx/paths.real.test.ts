/** nginx in front of a worker and an app that is reached by a path of the API's origin. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { luaFolder } from './lua-files.ts';
import {
  FOR_WORKERS,
  inLua,
  PATH_SHARED,
  PATH_VARIABLES,
  PLAIN_MODULES,
  PLAIN_VARIABLES,
  plainLocation,
  plainShared,
  plainSocket,
  UNDELIVERED,
} from './plain-configuration.ts';
import { type Control, controlOf } from './plain-control.ts';
import { hasLua } from './testing/lua-nginx.ts';

const PREFIX = '/proxy/services/main/web';

/** How the app is to answer: as it is, a name of the server in it would lead the request to a worker. */
const answerBy = (headers: object) => ({
  'x-answer': Buffer.from(JSON.stringify(headers)).toString('base64url'),
});
const fromText = (text: string | string[] | undefined) =>
  text === undefined ? '{}' : Buffer.from(String(text), 'base64url').toString();

class PathWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'dstack-paths-'));
  readonly #hasProxies: boolean;
  readonly control: Control = controlOf(plainSocket(this.dir));
  readonly #app = createServer((asked, answer) => {
    const { headers } = asked;
    const pairs = Object.entries(JSON.parse(fromText(headers['x-answer'])));
    answer.writeHead(200, [...pairs, ['X-Seen', asked.url]].flat() as string[]);
    answer.end(JSON.stringify({ ...headers, url: asked.url }));
  });
  readonly #worker = createServer((_asked, answer) => answer.end('worker'));
  #nginx: ChildProcess | null = null;

  constructor(hasProxies = false) {
    this.#hasProxies = hasProxies;
  }

  async start(): Promise<void> {
    await listening(this.#app, { host: '127.0.0.1', port: 0 });
    await listening(this.#worker, { path: join(this.dir, 'worker.sock') });
    for (const name of ['tls', 'tmp']) mkdirSync(join(this.dir, name));
    const path = join(this.dir, 'nginx.conf');
    writeFileSync(path, this.#configuration());
    this.#nginx = spawn('/usr/sbin/nginx', ['-c', path], { stdio: 'inherit' });
    await vi.waitUntil(() => existsSync(this.socket), { timeout: 10_000 });
    const { port } = this.#app.address() as AddressInfo;
    const line = (run: string, flags: string) =>
      `s\tp:main/${run}\t${run}-id\t${flags}\tmain\t${run}\t${run}-job,127.0.0.1,${port},0,0`;
    await this.control('/push?all', [line('web', '0001'), line('whole', '0000')].join('\n'));
    await this.control('/tick', '600000');
  }

  get socket(): string {
    return join(this.dir, 'clients.sock');
  }

  async ask(path: string, headers: Readonly<Record<string, string>> = {}, body?: string) {
    const sent = request({
      socketPath: this.socket,
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        host: 'api.test',
        ...(body !== undefined && { 'content-length': String(body.length) }),
        ...headers,
      },
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { headers: answer.headers, body: await text(answer) };
  }

  async stop(): Promise<void> {
    if (this.#nginx?.kill()) await once(this.#nginx, 'exit');
    this.#app.close();
    this.#worker.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #configuration(): string {
    const plain = {
      modules: [],
      folder: luaFolder(this.dir),
      timeoutMs: 5000,
      maxBody: 100,
      hasProxies: this.#hasProxies,
    };
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${this.dir}/tmp/${name};`)
      .join(' ');
    const modules = PLAIN_MODULES.map((name) => `load_module /usr/lib/nginx/modules/${name};`);
    return `${modules.join(' ')}
daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} pid ${this.dir}/pid; error_log ${this.dir}/error.log;
events {}
http {
  access_log off; ${temporary}
${plainShared(plain, this.dir, inLua([join(this.dir, 'worker.sock')]))}
${PATH_SHARED}
  underscores_in_headers on;
  server {
    listen unix:${this.socket};
${PLAIN_VARIABLES}
${PATH_VARIABLES}
${plainLocation(plain, { scheme: 'http', before: '', isByPath: true })}
${UNDELIVERED}
    location @workers {
${FOR_WORKERS}      proxy_pass http://unix:${join(this.dir, 'worker.sock')}:;
    }
    location / { proxy_pass http://unix:${join(this.dir, 'worker.sock')}:; }
    location @large_body { return 413; }
  }
}`;
  }
}

async function listening(server: Server, where: object): Promise<void> {
  server.listen(where);
  await once(server, 'listening');
}

describe.skipIf(!hasLua)('nginx, at paths of the origin of the API', () => {
  const world = new PathWorld();
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  it('gives the app the rest of the path as it was written, and the part that was stripped', async () => {
    for (const rest of ['/', '/a%2Fb/./c/../d//e?x=%3F/', '/%C3%A9;a=b?']) {
      const { body } = await world.ask(PREFIX + rest);
      expect(JSON.parse(body)).toMatchObject({ url: rest, 'x-forwarded-prefix': PREFIX });
    }
    const whole = '/proxy/services/MAIN/whole/a%2Fb?c';
    const answer = JSON.parse((await world.ask(whole)).body);
    expect(answer.url).toBe(whole);
    expect(answer).not.toHaveProperty('x-forwarded-prefix');
  });

  it('leaves to workers what leads to no service of the table, or has to be redirected or decoded', async () => {
    const others = ['', '?a', 'x/', '%62/'].map((rest) => PREFIX + rest);
    for (const path of [
      ...others,
      '/proxy/services/main/other/',
      '/proxy/models/main/v1',
      '/api/x',
    ]) {
      expect([path, (await world.ask(path)).body]).toEqual([path, 'worker']);
    }
  });

  it('leaves to workers requests with the cookie or a token of the server', async () => {
    const cookie = { cookie: 'a=1; dstack_session=x' };
    expect((await world.ask(`${PREFIX}/`, cookie)).body).toBe('worker');
    expect((await world.ask(`${PREFIX}/`, { authorization: 'Bearer x' })).body).toBe('worker');
  });

  it('leaves to workers bodies that are larger than they accept', async () => {
    expect((await world.ask(`${PREFIX}/`, {}, 'x'.repeat(100))).body).not.toBe('worker');
    expect((await world.ask(`${PREFIX}/`, {}, 'x'.repeat(101))).body).toBe('worker');
  });

  it('confines the answer of the app to its path', async () => {
    const answer = {
      'Set-Cookie': 'a=1; Path=/; Domain=api.test',
      Location: 'http://api.test/login',
      'Content-Security-Policy': "default-src 'self'",
      'Clear-Site-Data': '"*"',
      'Service-Worker-Allowed': '/',
      'X-Dstack-User': 'somebody',
      Connection: 'X-Hop',
      'X-Hop': '1',
    };
    const { headers } = await world.ask(`${PREFIX}/x`, answerBy(answer));
    expect(headers).toMatchObject({
      'set-cookie': [`a=1; Path=${PREFIX}/`],
      location: `http://api.test${PREFIX}/login`,
      'content-security-policy': "default-src 'self', sandbox",
      'x-seen': '/x',
    });
    const names = ['clear-site-data', 'service-worker-allowed', 'x-dstack-user', 'x-hop'];
    expect(names.filter((name) => name in headers)).toEqual([]);
  });

  it('gives one place to go on at, where the app has named two', async () => {
    const answer = { Location: '/login', location: '/other' };
    const { headers } = await world.ask(`${PREFIX}/x`, answerBy(answer));
    expect(headers.location).toBe(`${PREFIX}/login`);
  });

  it('drops cookies with a name of the server, and leaves none behind', async () => {
    const answer = { 'Set-Cookie': ['dstack_session=x', 'b=2'] };
    const { headers } = await world.ask(`${PREFIX}/`, answerBy(answer));
    expect(headers['set-cookie']).toEqual([`b=2; Path=${PREFIX}/`]);
    const own = { 'Set-Cookie': 'dstack_session=x' };
    const { headers: none } = await world.ask(`${PREFIX}/`, answerBy(own));
    expect(none).not.toHaveProperty('set-cookie');
  });

  it('keeps the id that a client has given its request, if workers would', async () => {
    const ids = async (given: string) => {
      const { headers, body } = await world.ask(`${PREFIX}/`, { 'x-request-id': given });
      return [headers['x-request-id'], JSON.parse(body)['x-request-id']];
    };
    expect(await ids('a.b:c/d+e=f-1_2')).toEqual(['a.b:c/d+e=f-1_2', 'a.b:c/d+e=f-1_2']);
    for (const given of ['', 'a b', 'x'.repeat(129)]) {
      const [shown, seen] = await ids(given);
      expect([shown, seen]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), shown]);
    }
  });

  it('drops what strangers say of their address, and leaves to workers names that apps may misread', async () => {
    const said = { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', 'x-real-ip': '6.6.6.6' };
    const { body } = await world.ask(`${PREFIX}/`, said);
    const seen = JSON.parse(body);
    expect(Object.values(seen)).not.toContain('6.6.6.6');
    expect((await world.ask(`${PREFIX}/`, { x_forwarded_for: '6.6.6.6' })).body).toBe('worker');
  });
});

describe.skipIf(!hasLua)('nginx, where a proxy is trusted', () => {
  const world = new PathWorld(true);
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  it('leaves to workers requests with headers of proxies, and answers the others', async () => {
    for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'x-real-ip']) {
      expect((await world.ask(`${PREFIX}/`, { [name]: 'x' })).body).toBe('worker');
    }
    expect((await world.ask(`${PREFIX}/`)).body).not.toBe('worker');
  });
});
