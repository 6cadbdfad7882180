/** Requests that a worker passes to the server, over real connections. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Shutdown } from '../../http/shutdown.ts';
import { RawConnection } from '../../http/testing/raw-connection.ts';
import { startTestServer, type TestServer } from '../../http/testing/test-server.ts';
import { ApiSocket } from '../api-socket.ts';
import { PassToServer } from './pass-to-server.ts';

const MIB = 1024 * 1024;

let server: TestServer;
let api: ApiSocket;
let front: Server;
const folder = mkdtempSync(join(tmpdir(), 'dstack-pass-'));
/** Connections of the worker to the server. */
const passed = new Set<Socket>();
const connections: RawConnection[] = [];

beforeAll(async () => {
  server = await startTestServer();
  const http = server.app.server;
  await server.app.ready();
  http.on('connection', (socket: Socket) => {
    passed.add(socket);
    socket.once('close', () => passed.delete(socket));
  });
  const path = join(folder, 'api.sock');
  api = new ApiSocket({ path, http, client: () => null });
  await api.listen();
  const pass = new PassToServer(path, new Shutdown());
  front = createServer((request, response) => pass.request(request, response));
  await new Promise<void>((resolve) => {
    front.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
});
afterAll(async () => {
  front.closeAllConnections();
  front.close();
  api.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open((front.address() as AddressInfo).port);
  connections.push(connection);
  return connection;
}

const post = (length: number, token: string | null) => [
  'POST /api/users/get_user HTTP/1.1',
  'Host: x',
  `Content-Length: ${length}`,
  ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
];

it('leaves a connection of a client open, and none to the server', async () => {
  const connection = (await open()).head('GET /healthcheck HTTP/1.1', 'Host: x');
  expect(await connection.until('running')).toContain('Connection: keep-alive');
  await expect.poll(() => passed.size).toBe(0);
  connection.forget();
  connection.head(...post(20, server.token)).send('{"username":"admin"}');
  expect(await connection.until('"admin"')).toContain(' 200 ');
  await expect.poll(() => passed.size).toBe(0);
});

it.each([
  ['too large, by its stated length', ' '.repeat(2 * MIB), 413],
  ['malformed', `[${'1,'.repeat(30_000)}`.padEnd(MIB), 422],
])('a body that is %s leaves its connection usable', async (_how, body, status) => {
  const connection = (await open()).head(...post(body.length, server.token)).send(body);
  expect(await connection.until('"detail"')).toContain(` ${status} `);
  connection.forget();
  connection.head(...post(20, server.token)).send('{"username":"admin"}');
  expect(await connection.until('"admin"')).toContain(' 200 ');
});

it('a client that leaves within its body leaves no connection to the server', async () => {
  const connection = (await open()).head(...post(2 * MIB, server.token)).send(' '.repeat(1000));
  expect(await connection.until('"detail"')).toContain(' 413 ');
  connection.close();
  await expect.poll(() => passed.size).toBe(0);
});

it('a body whose rest is not read closes its connection, after its sender has the answer', async () => {
  const connection = (await open()).head(...post(2 * MIB, null)).send(' '.repeat(2 * MIB));
  const answer = await connection.untilEnd();
  expect(answer).toContain(' 401 ');
  expect(answer.toLowerCase()).toContain('connection: close');
});
