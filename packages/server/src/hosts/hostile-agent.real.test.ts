import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import {
  type AgentFrame,
  encodeLogFrame,
  type JobState,
  type LogFrame,
  type ServerFrame,
} from '@dstack/contract/agent';
import { fuzz } from '@dstack/testkit/fuzz';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { AgentClient } from './agent-client.ts';
import { HostLink, type HostSink } from './host-link.ts';
import { AGENT_INFO, jobState } from './testing/agent-info.ts';

const JOB = '11111111-2222-4333-8444-555555555555';

/** Only for hangs: the computer may be busy. */
const SLOWLY = { timeout: 20_000, interval: 5 };

/** An agent that sends arbitrary frames, and the frames that the server accepts. */
let agent: WebSocketServer;
let link: HostLink;
let opened: WebSocket[];
let lost: string[];
let seen: { states: JobState[]; logs: LogFrame[]; connected: number };
let onLog: () => Promise<void>;
const resumed: ServerFrame[] = [];

beforeEach(async () => {
  agent = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(agent, 'listening');
  [opened, lost, onLog] = [[], [], async () => {}];
  seen = { states: [], logs: [], connected: 0 };
  resumed.length = 0;
});
afterEach(async () => {
  await link.close();
  for (const client of agent.clients) client.terminate();
  agent.close();
});

function startLink(pingMs = 10_000): void {
  const { port } = agent.address() as AddressInfo;
  const client = new AgentClient({ dial: () => connect(port, '127.0.0.1'), token: 't' });
  const open = client.openStream.bind(client);
  client.openStream = () => {
    const socket = open();
    opened.push(socket);
    return socket;
  };
  const sink: HostSink = {
    connected: async () => {
      seen.connected += 1;
    },
    lost: async (reason) => void lost.push(reason),
    sync: async (jobs) => {
      seen.states.push(...jobs);
      return {};
    },
    states: async (states) => void seen.states.push(...states),
    log: async (frame) => {
      await onLog();
      seen.logs.push(frame);
      return { rewindTo: null };
    },
    gap: async () => {},
    notice: () => {},
    pull: () => {},
    metrics: () => {},
    activity: () => {},
    tunnel: () => {},
    health: () => {},
  };
  const log = pino({ level: 'silent' });
  const prepare = async () => {};
  link = new HostLink({ hostId: 'h', serverId: 's', client, prepare, sink, log, pingMs });
  link.start();
}

/** The agent's end of the next link, after the valid first frames. */
async function greeted(pingMs?: number): Promise<WebSocket> {
  const connection = once(agent, 'connection');
  startLink(pingMs);
  const [socket] = (await connection) as [WebSocket];
  send(socket, { type: 'hello', info: AGENT_INFO });
  send(socket, { type: 'sync', jobs: [jobState(JOB)], last: 1 });
  await expect.poll(() => seen.connected, SLOWLY).toBe(1);
  return socket;
}

const send = (socket: WebSocket, frame: AgentFrame) => socket.send(JSON.stringify(frame));
const piece = (offset: number, size: number) =>
  encodeLogFrame({ id: JOB, offset, time: 1, bytes: Buffer.alloc(size, 'x') });

it('reads no more from an agent than it can handle, and does not count that as silence', async () => {
  const gate = Promise.withResolvers<void>();
  onLog = () => gate.promise;
  const socket = await greeted(300);
  let pings = 0;
  socket.on('ping', () => {
    pings += 1;
  });
  const pieces = 400;
  for (let i = 0; i < pieces; i++) socket.send(piece(i * 65_536, 65_536));
  await expect.poll(() => opened[0]?.isPaused, SLOWLY).toBe(true);
  // Longer than the server would wait for an agent whose frames it does not receive.
  await expect.poll(() => pings, SLOWLY).toBeGreaterThan(3);
  expect(seen.logs).toHaveLength(0);
  gate.resolve();
  await expect.poll(() => seen.logs.length, SLOWLY).toBe(pieces);
  expect(seen.logs.map(({ offset }) => offset)).toEqual(
    Array.from({ length: pieces }, (_, index) => index * 65_536),
  );
  expect(lost).toEqual([]);
});

it.each<[string, string | Buffer, string]>([
  ['no JSON', '{', 'the message is not JSON'],
  ['a state without a job', '{"type":"state","n":1}', 'state is not an object'],
  ['a log of no job', Buffer.alloc(60), 'id is not a UUID'],
  ['a log without a header', Buffer.alloc(3), 'the message is shorter than its header'],
])('ends the link to an agent that sends %s, with the reason', async (_, message, problem) => {
  const socket = await greeted();
  socket.send(message);
  await expect
    .poll(() => lost)
    .toEqual([`the agent sent a frame that is not as agreed: ${problem}`]);
});

it('ends the link to an agent that does not introduce itself', async () => {
  const connection = once(agent, 'connection');
  startLink();
  const [socket] = (await connection) as [WebSocket];
  send(socket, { type: 'sync', jobs: [], last: 0 });
  await expect.poll(() => lost[0], SLOWLY).toContain('sync came before hello');
});

/** Frames of all kinds with an error in them, and messages that are not frames. */
function hostileMessage(): fc.Arbitrary<string | Buffer> {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(JOB, '__proto__', -1, 1e308, '\0', 'x'.repeat(100_000), [[]], {}),
  );
  const key = fc.constantFrom(
    ...['type', 'id', 'n', 'state', 'jobs', 'last', 'info', 'offset', 'progress', 'metrics'],
    ...['seq', 'phase', 'exit', 'log_end', 'host', 'executor', 'ssh_port', 'no_connections_secs'],
  );
  const frames: readonly AgentFrame[] = [
    { type: 'hello', info: AGENT_INFO },
    { type: 'sync', jobs: [jobState(JOB)], last: 1 },
    { type: 'state', n: 2, state: jobState(JOB, { seq: 2 }) },
    { type: 'gap', id: JOB, offset: 5 },
    { type: 'activity', id: JOB, no_connections_secs: 5 },
  ];
  const changed = fc
    .tuple(fc.constantFrom(...frames), fc.dictionary(key, odd, { maxKeys: 3 }), fc.boolean())
    .map(([frame, change, inner]) => {
      const state = frame.type === 'state' ? { state: { ...frame.state, ...change } } : change;
      return JSON.stringify({ ...frame, ...(inner ? state : change) });
    });
  const bytes = fc.uint8Array({ maxLength: 120 }).map((array) => Buffer.from(array));
  const log = fc
    .tuple(fc.nat({ max: 51 }), fc.integer({ min: 0, max: 255 }))
    .map(([at, byte]) => Buffer.from(piece(0, 10).with(at, byte)));
  return fc.oneof({ weight: 6, arbitrary: changed }, fc.json(), fc.string(), bytes, log);
}

it('whatever an agent sends, the server accepts valid frames or ends the link with a reason', async () => {
  const sockets = fc.array(hostileMessage(), { minLength: 1, maxLength: 6 });
  await fuzz(
    'frames of an agent',
    fc.asyncProperty(sockets, async (messages) => {
      [opened, lost] = [[], []];
      seen = { states: [], logs: [], connected: 0 };
      const connection = once(agent, 'connection');
      startLink();
      const [socket] = (await connection) as [WebSocket];
      send(socket, { type: 'hello', info: AGENT_INFO });
      for (const message of messages) socket.send(message);
      // The last frame is valid, so it is accepted unless an earlier one was refused.
      send(socket, { type: 'state', n: 9, state: jobState(JOB, { username: 'last' }) });
      await expect
        .poll(
          () => lost.length > 0 || seen.states.some(({ username }) => username === 'last'),
          SLOWLY,
        )
        .toBe(true);
      for (const reason of lost) {
        expect(reason).toMatch(
          /^the agent sent a frame that is not as agreed: |^Invalid WebSocket/,
        );
      }
      for (const { id, seq, phase, log_end } of seen.states) {
        expect([id, typeof phase]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), 'string']);
        expect(Number.isSafeInteger(seq) && Number.isSafeInteger(log_end)).toBe(true);
      }
      for (const { offset, time } of seen.logs) {
        expect(Number.isSafeInteger(offset) && Number.isSafeInteger(time)).toBe(true);
      }
      await link.close();
    }),
  );
});
