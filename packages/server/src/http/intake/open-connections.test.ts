import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { baseHttp } from '../base-http.ts';
import { Shutdown } from '../shutdown.ts';
import { welcome } from './connections.ts';
import { type ConnectionRules, connectionRules } from './open-connections.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const HALF = 'GET / HTTP/1.1\r\nHost:';
const NEVER_MS = 600_000;

let app: ReturnType<typeof baseHttp>;
let open: Socket[];

async function start(rules: Partial<ConnectionRules> = {}): Promise<void> {
  open = [];
  const limits = { perNetwork: 2, total: 100, graceMs: NEVER_MS };
  app = baseHttp({
    ...{ log: pino({ level: 'silent' }), shutdown: new Shutdown(), origins: null },
    connections: { heads: limits, idle: limits, isProxy: () => false, ...rules },
  });
  app.get('/', async () => 'public');
  app.get('/known', async ({ raw }) => {
    welcome(raw);
    return 'known';
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
}
beforeEach(() => start());
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await app.close();
});

/** `from`: an address of this computer; each is a network of its own. */
function dial(text: string, from = '127.0.0.1'): Socket {
  const { port } = app.server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => {}).write(text);
  open.push(socket);
  return socket;
}

const answerOf = async (socket: Socket) => String((await once(socket, 'data'))[0]).split('\r\n')[0];
const OK = 'HTTP/1.1 200 OK';

/** Until the server has accepted everything before. */
const settled = async () => void (await answerOf(dial(REQUEST, '127.0.0.9')));

it('are closed at once for a network with too many that have sent half a head', async () => {
  for (let i = 0; i < 2; i++) dial(HALF);
  await settled();
  await once(dial(HALF), 'close');
});

it('of another network answer at once beside 1 000 connections with half a head', async () => {
  for (let i = 0; i < 1000; i++) dial(HALF);
  expect(await answerOf(dial(REQUEST, '127.0.0.2'))).toBe(OK);
});

it('do not count as long as a request is complete', async () => {
  await app.close();
  await start({ idle: { perNetwork: 100, total: 100, graceMs: 0 } });
  for (let i = 0; i < 5; i++) expect(await answerOf(dial(REQUEST))).toBe(OK);
});

it('make room for new ones once they have had their time', async () => {
  await app.close();
  await start({ heads: { perNetwork: 1, total: 100, graceMs: 0 } });
  const slow = dial(HALF);
  await settled();
  const closed = once(slow, 'close');
  expect(await answerOf(dial(REQUEST))).toBe(OK);
  await closed;
});

it('of strangers that only wait are limited too, and those of known callers are not', async () => {
  const idle = { perNetwork: 1, total: 100, graceMs: 0 };
  await app.close();
  await start({ idle });
  const known = dial(REQUEST.replace('/', '/known'));
  expect(await answerOf(known)).toBe(OK);
  const first = dial(REQUEST);
  const closed = once(first, 'close');
  expect(await answerOf(first)).toBe(OK);
  expect(await answerOf(dial(REQUEST))).toBe(OK);
  await closed;
  known.write(REQUEST);
  expect(await answerOf(known)).toBe(OK);
});

it('of a trusted proxy are not counted', async () => {
  await app.close();
  await start({ isProxy: (address) => address === '127.0.0.1' });
  for (let i = 0; i < 3; i++) dial(HALF);
  await settled();
  expect(await answerOf(dial(REQUEST))).toBe(OK);
});

it('of strangers take at most half of the files that the process may open', () => {
  const rules = (files: number) => connectionRules({ idle: 20_000, files, isProxy: () => false });
  expect(rules(256)).toMatchObject({
    heads: { total: 64, perNetwork: 32 },
    idle: { total: 64, perNetwork: 32 },
  });
  expect(rules(1_000_000)).toMatchObject({
    heads: { total: 2000, perNetwork: 500 },
    idle: { total: 20_000, perNetwork: 10_000 },
  });
  expect(rules(Number.POSITIVE_INFINITY).idle.total).toBe(20_000);
});
