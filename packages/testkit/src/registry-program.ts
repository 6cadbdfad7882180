/**
 * A container registry over a directory, as a program, so that it can run in a daemon's network
 * namespace: `registry-program.ts DIR [none|basic|bearer] [PORT]`. It prints its port.
 *
 * `DIR/manifests/<name>/<tag>` are manifests, `DIR/blobs/<digest>` everything by digest. While
 * `DIR/hold` exists, blobs over 64 KiB stop half way. Each request is a line of `DIR/requests`.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const [dir = '', access = 'none', port = '0'] = process.argv.slice(2);
const CREDENTIALS = `Basic ${Buffer.from('user:secret').toString('base64')}`;
const TOKEN = 'token-of-user';
const SMALL = 64 * 1024;
const SLICES = 2;
const SLICE_MS = 150;

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(port), () =>
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`),
);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
  appendFileSync(join(dir, 'requests'), `${request.method} ${url.pathname}\n`);
  const given = request.headers.authorization;
  if (url.pathname === '/token') return token(given, response);
  if (!allowed(given)) return challenge(url, response);
  if (url.pathname === '/v2/') return void response.writeHead(200).end('{}');
  const [, name = '', kind, reference = ''] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
  const tagged = join(dir, 'manifests', name, reference);
  const path = existsSync(tagged) ? tagged : join(dir, 'blobs', reference);
  if (!kind || !existsSync(path))
    return refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  await send(request, response, kind, readFileSync(path));
}

function allowed(given: string | undefined): boolean {
  if (access === 'basic') return given === CREDENTIALS;
  return access !== 'bearer' || given === `Bearer ${TOKEN}`;
}

function token(given: string | undefined, response: ServerResponse): void {
  if (given !== CREDENTIALS) {
    refuse(response, 401, 'UNAUTHORIZED', 'bad credentials');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ token: TOKEN }));
}

function challenge(url: URL, response: ServerResponse): void {
  const bearer = `Bearer realm="${url.origin}/token",service="test",scope="repository:pull"`;
  response.setHeader('www-authenticate', access === 'basic' ? 'Basic realm="test"' : bearer);
  refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

async function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  kind: string,
  bytes: Buffer,
): Promise<void> {
  const type =
    kind === 'blobs' ? 'application/octet-stream' : JSON.parse(bytes.toString()).mediaType;
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length });
  if (method === 'HEAD') return void response.end();
  if (bytes.length <= SMALL) return void response.end(bytes);
  const half = bytes.length >> 1;
  let sent = 0;
  // Slowly, because daemons report progress only a few times a second.
  while (existsSync(join(dir, 'hold'))) {
    const until = Math.min(half, sent + Math.ceil(half / SLICES));
    if (until > sent) response.write(bytes.subarray(sent, until));
    sent = until;
    await delay(SLICE_MS);
  }
  response.end(bytes.subarray(sent));
}
