import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectPlain, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { TUNNEL_IDENTITY, TUNNEL_PROTOCOLS, TUNNEL_TLS } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { openTunnelPort, type TunnelPort } from './tunnel-port.ts';

const TOKEN = 'secret';
const log = createEventLogger(() => {});

let dir: string;
let echo: Server;
let session: ClientHttp2Session;
let port: TunnelPort;
let portNumber: number;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tunnel-'));
  const socket = join(dir, 's');
  echo = createServer({ allowHalfOpen: true }, (client) => client.pipe(client));
  await new Promise<void>((resolve) => echo.listen(socket, resolve));
  portNumber = await freePort();
  const place = { port: portNumber, address: '127.0.0.1', file: null, dialOut: null };
  port = await openTunnelPort({ ...place, socket, token: TOKEN, log });
  session = connect(`http://127.0.0.1:${portNumber}`);
});
afterEach(() => {
  session.destroy();
  port.close();
  echo.close();
  rmSync(dir, { recursive: true });
});

function open(token: string, method = 'CONNECT') {
  const where = method === 'CONNECT' ? { ':authority': 'agent' } : { ':path': '/v1/info' };
  const headers = { ':method': method, authorization: `Bearer ${token}`, ...where };
  const stream = session.request(headers, { endStream: false });
  const status = new Promise((resolve) =>
    stream.once('response', ({ ':status': code }) => resolve(code)),
  );
  return { stream, status };
}

describe('the port of the tunnels', () => {
  it('leads each stream of one connection to the socket of the agent, in both directions', async () => {
    const texts = ['a'.repeat(300_000), 'second'];
    const answers = texts.map(async (sent) => {
      const { stream, status } = open(TOKEN);
      stream.end(sent);
      expect(await status).toBe(200);
      return await text(stream);
    });
    expect(await Promise.all(answers)).toEqual(texts);
  });

  it('keeps streams that come before the socket is open', async () => {
    const socket = join(dir, 'later');
    const [number, ready] = [await freePort(), Promise.withResolvers<void>()];
    const place = { port: number, address: '127.0.0.1', file: null, dialOut: null };
    const early = await openTunnelPort({
      ...place,
      ...{ socket, token: TOKEN, log, ready: ready.promise },
    });
    session.destroy();
    session = connect(`http://127.0.0.1:${number}`);
    const { stream, status } = open(TOKEN);
    stream.end('sent early');
    await new Promise((resolve) => session.ping(resolve));
    const later = createServer({ allowHalfOpen: true }, (client) => client.pipe(client));
    await new Promise<void>((resolve) => later.listen(socket, resolve));
    ready.resolve();
    expect(await status).toBe(200);
    expect(await text(stream)).toBe('sent early');
    early.close();
    later.close();
  });

  it('is closed to other tokens and other methods', async () => {
    expect(await open('guess').status).toBe(401);
    expect(await open(TOKEN, 'POST').status).toBe(405);
  });

  it('is encrypted on a network of others, and only the token opens it', async () => {
    const file = join(dir, 'place');
    const options = {
      port: 0,
      address: '0.0.0.0',
      file,
      dialOut: null,
      socket: join(dir, 's'),
      token: TOKEN,
      log,
    };
    const secure = await openTunnelPort(options);
    const { port } = JSON.parse(readFileSync(file, 'utf8')) as { port: number };
    const enter = (key: string) =>
      connectTls({
        ...TUNNEL_TLS,
        ...{ host: '127.0.0.1', port, ALPNProtocols: TUNNEL_PROTOCOLS },
        pskCallback: () => ({ psk: Buffer.from(key), identity: TUNNEL_IDENTITY }),
        checkServerIdentity: () => undefined,
      });
    const stranger = enter('guess');
    await new Promise((resolve) => stranger.once('error', resolve));
    const plain = connectPlain(port, '127.0.0.1', () => plain.write('PRI * HTTP/2.0\r\n\r\n'));
    await new Promise((resolve) => plain.on('error', () => {}).once('close', resolve));
    session.destroy();
    session = connect('http://agent', { createConnection: () => enter(TOKEN) });
    const { stream, status } = open(TOKEN);
    stream.end('sent');
    expect(await status).toBe(200);
    expect(await text(stream)).toBe('sent');
    secure.close();
  });
});
