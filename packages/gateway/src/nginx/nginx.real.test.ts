/** The nginx of a gateway before a worker that is a plain server, without an agent and services. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { request as secureRequest } from 'node:https';
import { type AddressInfo, connect as connectPlainly } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { MAX_HEADERS } from '@dstack/proxy';
import { freePort } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webUser } from '../web-user.ts';
import { refuseHead } from '../worker/refuse-head.ts';
import { Nginx } from './nginx.ts';

const hasNginx = existsSync('/usr/sbin/nginx');
if (process.env.CI && !hasNginx) throw new Error('gateways cannot be tested: nginx is missing');

const NAME = 'chat.apps.test';
const LARGE = 64 * 1024;
const log = { debug() {}, info() {}, warn() {}, error: console.error } as never;

describe.skipIf(!hasNginx)('nginx of a gateway', () => {
  let runtime: string;
  let worker: Server;
  let nginx: Nginx;
  let ports: { readonly http: number; readonly https: number };
  let ca: Buffer;

  beforeAll(async () => {
    const user = webUser();
    runtime = mkdtempSync(join(tmpdir(), 'dstack-nginx-'));
    chmodSync(runtime, 0o711);
    ca = certificate(join(runtime, 'certificates'), user?.group ?? null);
    worker = await startWorker(join(runtime, 'worker.sock'));
    ports = { http: await freePort(), https: await freePort() };
    nginx = new Nginx({
      ...{ runtime, user: user?.name ?? null, group: user?.group ?? null, log },
    });
    await ensure({ plainTimeoutMs: null });
  });

  const ensure = ({
    plainTimeoutMs,
    httpPort = ports.http,
  }: {
    readonly plainTimeoutMs: number | null;
    readonly httpPort?: number;
  }) =>
    nginx.ensure(
      {
        ...{ httpPort, httpsPort: ports.https, maxBody: 1000, hsts: 3600 },
        ...{ workers: [join(runtime, 'worker.sock')], acmeProof: null, acmeSocket: null },
        plainTimeoutMs,
      },
      { install: false },
    );

  afterAll(async () => {
    await nginx?.stop();
    worker?.closeAllConnections();
    worker?.close();
    rmSync(runtime, { recursive: true, force: true });
  });

  /** The header `Host` that the worker sees. */
  async function hostOf(url: string, host: string): Promise<string | undefined> {
    const socket = connectPlainly(ports.http, '127.0.0.1');
    socket.write(`GET ${url} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    return JSON.parse(answer.slice(answer.indexOf('\r\n{'))).host;
  }

  interface Answer {
    readonly status: number | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly body: string;
  }

  async function ask(
    protocol: 'http' | 'https',
    headers: Record<string, string | string[]>,
    body = '',
  ): Promise<Answer> {
    const options = {
      ...{ host: '127.0.0.1', agent: false, maxHeaderSize: 2 * MAX_HEADERS },
      ...{ method: body === '' ? 'GET' : 'POST', headers: { host: NAME, ...headers } },
    };
    const sent =
      protocol === 'http'
        ? request({ ...options, port: ports.http })
        : secureRequest({ ...options, port: ports.https, servername: NAME, ca });
    sent.end(body);
    const [answer] = await once(sent, 'response');
    return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
  }

  it.each(['http', 'https'] as const)(
    'passes on headers of an answer as large as the server does, by %s',
    async (protocol) => {
      for (const size of [10, 4096, 40 * 1024, LARGE]) {
        const { status, headers } = await ask(protocol, { 'x-wanted': String(size) });
        expect([status, headers['x-large']?.length]).toEqual([200, size]);
      }
    },
  );

  it('passes on headers of a request as large as the server does, and refuses more by 431', async () => {
    const seen = await ask('https', { 'x-large': 'x'.repeat(LARGE) });
    expect([seen.status, JSON.parse(seen.body)['x-large'].length]).toEqual([200, LARGE]);
    const detail = 'The headers of the request are larger than 64 KiB';
    for (const large of ['x'.repeat(2 * LARGE), Array(3).fill('x'.repeat(LARGE / 2))]) {
      const { status, headers, body } = await ask('https', { 'x-large': large });
      expect([status, headers['content-type']]).toEqual([431, 'application/json']);
      expect(JSON.parse(body)).toEqual({ detail });
    }
  });

  it.each(['http', 'https'] as const)(
    'refuses by %s a body that is too large, in JSON',
    async (protocol) => {
      const { status, body } = await ask(protocol, {}, 'x'.repeat(1001));
      expect([status, JSON.parse(body)]).toEqual([
        413,
        { detail: 'The body of the request is larger than this gateway accepts' },
      ]);
    },
  );

  it('passes on the host in a URL of absolute form, and otherwise the header', async () => {
    expect(await hostOf('http://a.test:81/b?c=http://d.test/', 'x.test')).toBe('a.test:81');
    expect(await hostOf('HTTP://a.test', 'x.test')).toBe('a.test');
    expect(await hostOf('/b?c=http://d.test/', 'x.test:82')).toBe('x.test:82');
  });

  it('does not obey an app that commands the nginx of its client', async () => {
    const { headers, body } = await ask('http', { 'x-redirect': '/.well-known/acme-challenge/x' });
    expect(headers['x-accel-redirect']).toBe('/.well-known/acme-challenge/x');
    expect(JSON.parse(body)['x-redirect']).toBe('/.well-known/acme-challenge/x');
  });

  it('has browsers ask by HTTPS alone, unless the app has chosen for how long', async () => {
    const header = async (protocol: 'http' | 'https', own: Record<string, string> = {}) =>
      (await ask(protocol, own)).headers['strict-transport-security'];
    expect(await header('https')).toBe('max-age=3600');
    expect(await header('https', { 'x-hsts': 'max-age=5' })).toBe('max-age=5');
    expect(await header('http')).toBeUndefined();
  });

  it('answers 1000 clients that connect at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask('http', {})));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('accepts modern suites of TLS only', async () => {
    const opened = async (ciphers: string) => {
      const options = { port: ports.https, servername: NAME, ca, ciphers };
      const socket = connect({ ...options, maxVersion: 'TLSv1.2', host: '127.0.0.1' });
      try {
        await once(socket, 'secureConnect');
        return socket.getCipher().name;
      } catch {
        return null;
      } finally {
        socket.destroy();
      }
    };
    expect(await opened('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(await opened('ECDHE-ECDSA-AES128-SHA256')).toBeNull();
    expect(await opened('ECDHE-ECDSA-AES256-SHA')).toBeNull();
  });

  it('goes on at its ports when it is to change to one that another program has, and names the program', async () => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const change = () => ensure({ plainTimeoutMs: null, httpPort: port });
    await expect(change()).rejects.toThrow(
      new RegExp(`^Port ${port} of \\S+ is held by \\S+ \\(pid ${process.pid}\\): stop it, or`),
    );
    expect((await ask('http', {})).status).toBe(200);
    other.close();
    await once(other, 'close');
    await change();
    await expect(ask('http', {})).rejects.toThrow(/ECONNREFUSED/);
    await ensure({ plainTimeoutMs: null });
    expect((await ask('http', {})).status).toBe(200);
  });

  it('presents certificates of names of hosts alone where it has its module for Lua', async () => {
    await ensure({ plainTimeoutMs: 60_000 });
    const connects = async (servername = NAME) => {
      const socket = connect({ host: '127.0.0.1', port: ports.https, servername, ca });
      const isConnected = once(socket, 'secureConnect').then(
        () => true,
        () => false,
      );
      return await isConnected.finally(() => socket.destroy());
    };
    expect(await connects()).toBe(true);
    expect(await connects('other.apps.test')).toBe(false);
    expect(await connects('..')).toBe(false);
  });
});

/** Answers with the headers of the request, and with a large header of the wanted size. */
async function startWorker(path: string): Promise<Server> {
  const server = createServer({ maxHeaderSize: MAX_HEADERS + 2048 }, ({ headers }, response) => {
    const size = Number(headers['x-wanted'] ?? 1);
    const { 'x-redirect': redirect, 'x-hsts': hsts } = headers;
    response.setHeader('x-large', 'x'.repeat(size));
    if (redirect !== undefined) response.setHeader('x-accel-redirect', redirect);
    if (hsts !== undefined) response.setHeader('strict-transport-security', hsts);
    response.end(JSON.stringify(headers));
  });
  server.on('clientError', refuseHead);
  server.listen({ path, backlog: 4096 });
  await once(server, 'listening');
  chmodSync(path, 0o666);
  return server;
}

/** Returns the certificate, which is its own authority. */
function certificate(dir: string, group: number | null): Buffer {
  mkdirSync(dir, { mode: 0o755 });
  const path = join(dir, `${NAME}.pem`);
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`];
  // Both in one file, as gateways keep them.
  const files = ['-keyout', path, '-out', `${path}.crt`];
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, ...files], { stdio: 'pipe' });
  execFileSync('sh', ['-c', `cat '${path}.crt' >> '${path}'`]);
  if (group !== null) chownSync(path, 0, group);
  chmodSync(path, 0o640);
  return readFileSync(`${path}.crt`);
}
