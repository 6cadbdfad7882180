import { once } from 'node:events';
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
import { listenForTunnels, type TunnelListener } from './tunnel-listener.ts';
import { openTunnelPort, type TunnelPort } from './tunnel-port.ts';

const TOKEN = 'secret';
const log = createEventLogger(() => {});

let dir: string;
let echo: Server;
let session: ClientHttp2Session;
let port: TunnelPort;

const LOOPBACK = '127.0.0.1';

const listening = (address = LOOPBACK, file: string | null = null): Promise<TunnelListener> =>
  listenForTunnels({ port: 0, address, file, dialOut: null }, log);

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tunnel-'));
  const socket = join(dir, 's');
  echo = createServer({ allowHalfOpen: true }, (client) => client.pipe(client));
  await new Promise<void>((resolve) => echo.listen(socket, resolve));
  const listener = await listening();
  port = openTunnelPort({ listener, address: LOOPBACK, socket, token: TOKEN });
  session = connect(`http://127.0.0.1:${listener.port}`);
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

async function expectEcho(sent: string): Promise<void> {
  const { stream, status } = open(TOKEN);
  stream.end(sent);
  expect(await status).toBe(200);
  expect(await text(stream)).toBe(sent);
}

const served = (listener: TunnelListener, address: string) =>
  openTunnelPort({ listener, address, socket: join(dir, 's'), token: TOKEN });
const plain = (listener: TunnelListener) => served(listener, LOOPBACK);
const secured = (listener: TunnelListener) => served(listener, '0.0.0.0');

const entrance = (port: number) => (key: string) =>
  connectTls({
    ...TUNNEL_TLS,
    ...{ host: LOOPBACK, port, ALPNProtocols: TUNNEL_PROTOCOLS },
    pskCallback: () => ({ psk: Buffer.from(key), identity: TUNNEL_IDENTITY }),
    checkServerIdentity: () => undefined,
  });

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
    const [listener, ready] = [await listening(), Promise.withResolvers<void>()];
    const place = { listener, address: LOOPBACK, socket, token: TOKEN };
    const early = openTunnelPort({ ...place, ready: ready.promise });
    session.destroy();
    session = connect(`http://127.0.0.1:${listener.port}`);
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
    const listener = await listening('0.0.0.0', file);
    const secure = secured(listener);
    const { port } = JSON.parse(readFileSync(file, 'utf8')) as { port: number };
    const enter = entrance(port);
    const stranger = enter('guess');
    await new Promise((resolve) => stranger.once('error', resolve));
    const plain = connectPlain(port, '127.0.0.1', () => plain.write('PRI * HTTP/2.0\r\n\r\n'));
    await new Promise((resolve) => plain.on('error', () => {}).once('close', resolve));
    session.destroy();
    session = connect('http://agent', { createConnection: () => enter(TOKEN) });
    await expectEcho('sent');
    secure.close();
  });

  it.each([
    [LOOPBACK, 'plain'],
    ['0.0.0.0', 'encrypted'],
  ])('at %s serves what came before it was loaded, and was sent %s', async (address) => {
    const listener = await listening(address);
    session.destroy();
    const encrypted = { createConnection: () => entrance(listener.port)(TOKEN) };
    const url = `http://127.0.0.1:${listener.port}`;
    session = address === LOOPBACK ? connect(url) : connect('http://agent', encrypted);
    const { stream, status } = open(TOKEN);
    stream.end('sent early');
    // Accepted later, so the first one waits by now.
    const second = connectPlain(listener.port, LOOPBACK);
    await once(second, 'connect');
    second.destroy();
    const late = address === LOOPBACK ? plain(listener) : secured(listener);
    expect(await status).toBe(200);
    expect(await text(stream)).toBe('sent early');
    await expectEcho('sent late');
    late.close();
  });

  it('ends connections that wait when it closes, and those that are too many', async () => {
    const listener = await listening();
    const clients = Array.from({ length: 65 }, () => connectPlain(listener.port, LOOPBACK));
    const ended = clients.map((client) =>
      once(
        client.on('error', () => {}),
        'close',
      ),
    );
    await Promise.race(ended);
    expect(clients.filter(({ destroyed }) => destroyed)).toHaveLength(1);
    listener.close();
    await Promise.all(ended);
  });
});
