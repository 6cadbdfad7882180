import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { TUNNEL_IDENTITY, TUNNEL_PROTOCOLS, TUNNEL_TLS } from '@dstack/contract/agent';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { createEventLogger } from '../host/log.ts';
import { openTunnels } from './dial-out.ts';
import { listenForTunnels } from './tunnel-listener.ts';

const TOKEN = 'secret';

let dir: string;
let echo: Server;
let server: WebSocketServer;
let close: () => void;
let connections: WebSocket[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'dial-out-'));
  const socket = join(dir, 's');
  echo = createServer({ allowHalfOpen: true }, (client) => client.pipe(client));
  await new Promise<void>((resolve) => echo.listen(socket, resolve));
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  connections = [];
  server.on('connection', (one) => connections.push(one));
  const dialOut = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/agent`;
  const place = { port: 0, address: '0.0.0.0', file: null, dialOut };
  const log = createEventLogger(() => {});
  const listener = await listenForTunnels(place, log);
  const dialled = once(server, 'connection');
  close = openTunnels({ ...place, listener, socket, token: TOKEN, log });
  await dialled;
});
afterEach(() => {
  close();
  server.close();
  echo.close();
  rmSync(dir, { recursive: true });
});

function secured(connection: WebSocket | undefined, key = TOKEN) {
  if (!connection) throw new Error('nothing was dialled');
  const tls = connectTls({
    ...TUNNEL_TLS,
    ...{ ALPNProtocols: TUNNEL_PROTOCOLS, socket: createWebSocketStream(connection) },
    pskCallback: () => ({ psk: Buffer.from(key), identity: TUNNEL_IDENTITY }),
    checkServerIdentity: () => undefined,
  });
  return tls.on('error', () => {});
}

it('brings the tunnels to the server, which proves that it has the token', async () => {
  const stranger = secured(connections[0], 'guess');
  const again = once(server, 'connection');
  await once(stranger, 'error');
  connections[0]?.terminate();
  await again;
  const session = connect('http://agent', { createConnection: () => secured(connections[1]) });
  const headers = { ':method': 'CONNECT', ':authority': 'agent', authorization: `Bearer ${TOKEN}` };
  const answers = ['a'.repeat(300_000), 'second'].map(async (sent) => {
    const stream = session.request(headers, { endStream: false });
    stream.end(sent);
    return await text(stream);
  });
  expect(await Promise.all(answers)).toEqual(['a'.repeat(300_000), 'second']);
  session.destroy();
});

it('is opened again when it has ended, and not after the end of the agent', async () => {
  const again = once(server, 'connection');
  connections[0]?.terminate();
  await again;
  const ended = once(connections[1] as WebSocket, 'close');
  close();
  await ended;
  expect(connections).toHaveLength(2);
});
