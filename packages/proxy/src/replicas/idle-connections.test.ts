import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import request from 'undici/lib/api/api-request.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ReplicaConnections } from './replica-connections.ts';
import { IDLE_MS, MAX_IDLE_MS } from './replica-pool.ts';

/** For an app that announces 3 seconds: the pool closes its connections before the app does. */
const BRIEF_MS = 1000;

const waiting: ServerResponse[] = [];
const server = createServer((request, response) => {
  if (request.url === '/brief') response.setHeader('keep-alive', 'timeout=3');
  // This replaces the header that Node.js adds by itself.
  else response.setHeader('keep-alive', 'none');
  waiting.push(response);
  server.emit('waiting');
});
server.keepAliveTimeout = 2 * MAX_IDLE_MS;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

function replica() {
  const sockets: Socket[] = [];
  const replicas = new ReplicaConnections({
    open: async () => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
      return socket;
    },
    ...{ timeoutMs: 60_000, now: Date.now },
  });
  const target = { jobId: 'a', hostId: 'host', port: 1, runningAt: 0, isFailing: false };
  const known = replicas.acquire('run', [target]);
  if (!known) throw new Error('no replica');
  const ask = async (path: string) => {
    const { body } = await request.call(known.pool, { path, method: 'GET' });
    await body.dump();
  };
  return { replicas, sockets, ask };
}

/** The pool destroys it with an error. */
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

it.each([
  ['/', IDLE_MS],
  ['/brief', BRIEF_MS],
])('connections of a burst are closed once they are idle (%s: %i ms)', async (path, idleMs) => {
  const { replicas, sockets, ask } = replica();
  const burst = [...Array(20)].map(() => ask(path));
  while (waiting.length < burst.length) await once(server, 'waiting');
  for (const response of waiting.splice(0)) response.end();
  await Promise.all(burst);
  const began = performance.now();
  expect(sockets.length).toBe(burst.length);
  await Promise.all(sockets.map(closed));
  // Timers of the pool are exact to a second.
  expect(performance.now() - began).toBeGreaterThan(idleMs - 1100);
  replicas.close();
});
