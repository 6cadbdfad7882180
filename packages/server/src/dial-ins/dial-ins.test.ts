import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { agentToken } from '@dstack/backends';
import { isAgentInstance } from '@dstack/backends/slurm';
import { TUNNEL_IDENTITY, TUNNEL_PROTOCOLS, TUNNEL_TLS } from '@dstack/contract/agent';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { type DialInLimits, DialIns } from './dial-ins.ts';

const JOB = 'dstack-main-train-0-0123456789ab';
const LONG_MS = 60_000;
/** Close code of WebSockets (RFC 6455). */
const TOO_BIG = 1009;

let http: Server;
let dialIns: DialIns;

async function start(limits: Partial<DialInLimits> = {}): Promise<void> {
  http = createServer();
  dialIns = new DialIns({
    kinds: [isAgentInstance],
    secret: async () => 'secret',
    addressOf: ({ socket }) => socket.remoteAddress ?? '',
    limits,
  });
  dialIns.route({ server: http });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
}
beforeEach(() => start());
afterEach(() => {
  dialIns.close();
  http.close();
});

/** `from`: an address of this computer; each is a network of its own. */
function dial(path: string, from = '127.0.0.1'): WebSocket {
  const { port } = http.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}${path}`;
  return new WebSocket(url, { localAddress: from }).on('error', () => {});
}

/** An agent that greets on each secured connection. */
function agent(
  path = `/api/agents/dial/${JOB}.0`,
  token = agentToken('secret', path.slice('/api/agents/dial/'.length)),
  from = '127.0.0.1',
): WebSocket {
  const tls = createTlsServer(
    {
      ...{ ...TUNNEL_TLS, ALPNProtocols: TUNNEL_PROTOCOLS },
      pskCallback: (_, identity) => (identity === TUNNEL_IDENTITY ? Buffer.from(token) : null),
    },
    (socket) => socket.end(`agent at ${path.at(-1)}`),
  );
  const socket = dial(path, from);
  socket.on('open', () => {
    tls.emit(
      'connection',
      createWebSocketStream(socket).on('error', () => {}),
    );
  });
  return socket;
}

/** Also after an error. */
const closed = (socket: WebSocket) =>
  new Promise<void>((resolve) => socket.once('close', () => resolve()));

const textOf = async (rank = 0, limitMs = LONG_MS) => {
  const stream = await dialIns.take(`${JOB}.${rank}`, limitMs);
  return stream && (await text(stream));
};

it('gives the connection of an agent to who waits for it, or asks later', async () => {
  const first = textOf();
  const other = textOf(1);
  agent();
  agent(`/api/agents/dial/${JOB}.1`);
  expect(await first).toBe('agent at 0');
  expect(await other).toBe('agent at 1');
  await once(agent(), 'open');
  expect(await textOf()).toBe('agent at 0');
  expect(await textOf(0, 1)).toBeNull();
});

it('reports an agent that connects before it is asked for, and no other one', async () => {
  const reported: string[] = [];
  const end = dialIns.watch((instance) => reported.push(instance));
  await closed(agent(undefined, 'a wrong token'));
  const asked = textOf(1);
  agent(`/api/agents/dial/${JOB}.1`);
  expect(await asked).toBe('agent at 1');
  agent();
  while (reported.length === 0) await new Promise(setImmediate);
  end();
  expect(reported).toEqual([`${JOB}.0`]);
  expect(await textOf()).toBe('agent at 0');
});

it('is closed to the token of another instance, of another node of the job, and of the job', async () => {
  const others = ['dstack-main-other-0-0123456789ab.0', `${JOB}.1`, JOB];
  for (const other of others) await closed(agent(undefined, agentToken('secret', other)));
  expect(await textOf(0, 1)).toBeNull();
});

it('is closed to other names', async () => {
  for (const name of ['root.0', `${JOB}`, `${JOB}.00`, `${JOB}.0/x`, `${JOB}/0`, '%2e.0', '']) {
    await closed(agent(`/api/agents/dial/${name}`));
  }
  await closed(agent('/api/agents/slurm/root/0'));
  await closed(agent(`/api/agents/slurm/${JOB}/0/x`));
  expect(await textOf(0, 1)).toBeNull();
});

it('takes agents of jobs that the previous version has submitted', async () => {
  await once(agent(`/api/agents/slurm/${JOB}/1`, agentToken('secret', JOB)), 'open');
  expect(await textOf(1)).toBe('agent at 1');
});

it('limits connections of a network that prove nothing', async () => {
  dialIns.close();
  http.close();
  await start({ strangers: { perNetwork: 1, total: 10, graceMs: LONG_MS } });
  const silent = dial(`/api/agents/dial/${JOB}.0`);
  await once(silent, 'open');
  await closed(agent());
  silent.terminate();
});

it('lets an agent of another network in at once beside 1 000 hostile connections', async () => {
  dialIns.close();
  http.close();
  await start({ strangers: { perNetwork: 100, total: 1000, graceMs: LONG_MS } });
  const hostile = Array.from({ length: 1000 }, () => dial(`/api/agents/dial/${JOB}.0`));
  const answers = await Promise.all(
    hostile.map((one) => Promise.race([once(one, 'open').then(() => 'open'), closed(one)])),
  );
  expect(answers.filter((answer) => answer === 'open')).toHaveLength(100);
  const waiting = textOf();
  agent(undefined, undefined, '127.0.0.2');
  expect(await waiting).toBe('agent at 0');
  for (const one of hostile) one.terminate();
});

it('refuses a message that no agent sends, before it is complete', async () => {
  const stranger = dial(`/api/agents/dial/${JOB}.0`);
  await once(stranger, 'open');
  stranger.send(Buffer.alloc(2 * 1024 * 1024));
  const [code] = await once(stranger, 'close');
  expect(code).toBe(TOO_BIG);
});

it('closes a connection that stays unused, since the agent may reach another server', async () => {
  dialIns.close();
  http.close();
  await start({ unusedMs: 1 });
  await closed(agent());
});

it('keeps the newest connection of an agent only', async () => {
  const old = agent();
  await once(old, 'open');
  const ended = closed(old);
  agent();
  await ended;
  expect(await textOf()).toBe('agent at 0');
});
