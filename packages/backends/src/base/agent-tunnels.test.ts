import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AgentTunnels } from './agent-tunnels.ts';

let server: Http2Server;
let tunnels: AgentTunnels;

beforeEach(async () => {
  tunnels = new AgentTunnels();
  server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  vi.useRealTimers();
  tunnels.close();
  server.close();
});

/** A connection that stops in both directions, without any report, as when a node is cut off. */
function breakable() {
  let isCut = false;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const stream = new Duplex({
    read: () => {},
    write: (chunk, _encoding, done) => {
      if (!isCut) socket.write(chunk, done);
    },
    destroy: (_error, done) => {
      socket.destroy();
      if (!isCut) done(null);
    },
  });
  socket.on('data', (chunk) => isCut || stream.push(chunk));
  socket.on('error', () => {});
  return {
    stream,
    cut: () => {
      isCut = true;
    },
  };
}

it('a connection that carries nothing any more is given up, and the process continues', async () => {
  const { stream, cut } = breakable();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  const target = { key: 'pod', what: 'pod train', open: async () => stream };
  const connection = await tunnels.dial(target, 'token');
  const closed = new Promise((resolve) => connection.on('error', () => {}).once('close', resolve));
  cut();
  for (let i = 0; i < 5; i++) await vi.advanceTimersByTimeAsync(15_000);
  await closed;
  expect(connection.destroyed).toBe(true);
});
