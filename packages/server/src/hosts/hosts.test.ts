import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { AgentFrame } from '@dstack/contract/agent';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { Hosts, type HostsOptions } from './hosts.ts';
import { jobState } from './testing/agent-info.ts';

const HOST = 'host';
const JOB = '11111111-2222-4333-8444-555555555555';
const OF_ANOTHER_HOST = '99999999-2222-4333-8444-555555555555';
const VIEW = { job: { id: JOB, instanceId: 'i' }, run: { id: 'r', name: 'run' }, projectName: 'p' };

/** An agent without jobs that sends the frames of the test. */
let agent: WebSocketServer;
let hosts: Hosts;
let onHealth: HostsOptions['onHealth'];
beforeEach(async () => {
  onHealth = undefined;
  agent = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(agent, 'listening');
});
afterEach(async () => {
  vi.useRealTimers();
  await hosts.close();
  agent.close();
});

/** Lines of the log, and a promise of the next one that contains this text. */
function logged() {
  const lines: string[] = [];
  const waiting: { text: string; resolve: () => void }[] = [];
  const log = pino(
    { level: 'info' },
    {
      write(line: string) {
        lines.push(line);
        for (const { text, resolve } of waiting) if (line.includes(text)) resolve();
      },
    },
  );
  const lineWith = (text: string) =>
    new Promise<void>((resolve) => waiting.push({ text, resolve }));
  return { log, lineWith, lines };
}

function link(
  reports: Partial<Store['reports']>,
  log: pino.Logger,
  prepare = async () => {},
): Promise<boolean> {
  const none = async () => [];
  const elsewhere = { job: { id: OF_ANOTHER_HOST, instanceId: 'o' }, run: VIEW.run };
  const views: Record<string, unknown> = { [JOB]: VIEW, [OF_ANOTHER_HOST]: elsewhere };
  const store = {
    shared: false,
    hosts: { byId: async () => null, save: async () => {} },
    jobs: { onHost: none, byId: async (id: string) => views[id] ?? null },
    instances: {
      onHost: none,
      byIds: async ([id]: string[]) => [{ hostId: id === 'i' ? HOST : 'other' }],
    },
    engine: { hostDependants: none, signal: none },
    reports: { byJobs: none, ...reports },
  } as unknown as Store;
  const options = { store, logs: {} as never, serverId: 's', owner: 'o', now: () => 0, log };
  hosts = new Hosts({ ...options, ...(onHealth && { onHealth }) });
  const { port } = agent.address() as AddressInfo;
  const dial = () => connect(port, '127.0.0.1');
  return hosts.add({ hostId: HOST, dial, token: 't', prepare });
}

it('lives on when the activity of a job cannot be stored', async () => {
  const saveActivity = async () => {
    throw new Error('database or disk is full');
  };
  const { log, lineWith } = logged();
  const warned = lineWith('activity of a job not stored');
  const connection = once(agent, 'connection');
  await link({ saveActivity }, log);
  const [socket] = await connection;
  const send = (frame: AgentFrame) => socket.send(JSON.stringify(frame));
  send({ type: 'activity', id: JOB, no_connections_secs: 5 });
  await warned;
  expect(hosts.has(HOST)).toBe(true);
});

it('logs why an agent is unreachable, once for each reason', async () => {
  const { log, lineWith, lines } = logged();
  const reasons = ['no such program', 'no such program', 'no such program', 'no memory'];
  const last = lineWith('no memory');
  await link({}, log, async () => {
    throw new Error(reasons.shift() ?? 'no memory');
  });
  await last;
  expect(lines.filter((line) => line.includes('unreachable'))).toHaveLength(2);
});

it('passes on the health reports of its agent', async () => {
  const reports = Promise.withResolvers<unknown>();
  const connection = once(agent, 'connection');
  onHealth = (hostId, report) => reports.resolve([hostId, report]);
  await link({}, logged().log);
  const [socket] = await connection;
  const check = { name: 'disk', status: 'warning', message: '4 % are free' } as const;
  const frame: AgentFrame = { type: 'health', time: 5, checks: [check] };
  socket.send(JSON.stringify(frame));
  expect(await reports.promise).toEqual([HOST, frame]);
});

it('accepts reports of a host about its own jobs only', async () => {
  const saved: string[] = [];
  const last = Promise.withResolvers<void>();
  const saveActivity = async (id: string) => {
    saved.push(id);
    last.resolve();
  };
  const saveState = async (_: string, { id }: { id: string }) => saved.push(id);
  const connection = once(agent, 'connection');
  await link({ saveActivity, saveState } as never, logged().log);
  const [socket] = await connection;
  const send = (frame: AgentFrame) => socket.send(JSON.stringify(frame));
  send({ type: 'state', n: 1, state: jobState(OF_ANOTHER_HOST) });
  send({ type: 'activity', id: OF_ANOTHER_HOST, no_connections_secs: 5 });
  send({ type: 'activity', id: JOB, no_connections_secs: 5 });
  await last.promise;
  expect(saved).toEqual([JOB]);
});

it('connects all hosts again at once when the obstacle has passed for all of them', async () => {
  // No pause between two attempts ends.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { log, lineWith } = logged();
  const unreachable = lineWith('no files left');
  let isShort = true;
  await link({}, log, async () => {
    if (isShort) throw new Error('no files left');
  });
  await unreachable;
  await new Promise(setImmediate);
  isShort = false;
  const connection = once(agent, 'connection');
  hosts.retryAll();
  await connection;
});
