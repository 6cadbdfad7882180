import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HostLink, type HostLinkOptions, type HostSink } from './host-link.ts';
import { AGENT_INFO } from './testing/agent-info.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The stream of an agent without jobs, which reports as soon as it is listened to. */
function stream() {
  const socket = Object.assign(new EventEmitter(), {
    ...{ readyState: 1, OPEN: 1, isPaused: false },
    ...{ ping() {}, send() {}, pause() {}, resume() {} },
    terminate: () => void socket.emit('close'),
  });
  const frames = [
    { type: 'hello', info: AGENT_INFO },
    { type: 'sync', jobs: [], last: 0 },
  ];
  setTimeout(() => {
    for (const frame of frames) socket.emit('message', Buffer.from(JSON.stringify(frame)), false);
  }, 1);
  return socket;
}

it('waits longer and longer for an agent whose reports cannot be stored', async () => {
  const attempts: number[] = [];
  let isStored = false;
  const client = {
    openStream() {
      attempts.push(Date.now());
      return stream();
    },
    info: async () => AGENT_INFO,
    close() {},
  };
  const sink: Partial<HostSink> = {
    sync: async () => ({}),
    lost: async () => {},
    connected: async () => {
      if (!isStored) throw new Error('the disk is full');
    },
  };
  const link = new HostLink({
    ...{ hostId: 'host', serverId: 'server', prepare: async () => {} },
    client: client as unknown as HostLinkOptions['client'],
    sink: sink as HostSink,
    log: pino({ level: 'silent' }),
  });
  link.start();
  await vi.advanceTimersByTimeAsync(3_100);
  const delays = attempts.slice(1).map((at, n) => at - (attempts[n] ?? 0) - 1);
  expect(delays).toEqual([200, 400, 800, 1600]);
  isStored = true;
  await vi.advanceTimersByTimeAsync(3_300);
  expect(attempts).toHaveLength(6);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(attempts).toHaveLength(6);
  await link.close();
});

it('waits little after an attempt that was under way when the obstacle passed', async () => {
  let attempts = 0;
  let fail = () => {};
  const link = new HostLink({
    ...{ hostId: 'host', serverId: 'server' },
    prepare: () => {
      attempts++;
      return new Promise((_, reject) => {
        fail = () => reject(new Error('no files left'));
      });
    },
    client: { close() {} } as HostLinkOptions['client'],
    sink: { lost: async () => {} } as Partial<HostSink> as HostSink,
    log: pino({ level: 'silent' }),
  });
  link.start();
  while (attempts < 8) {
    fail();
    await vi.advanceTimersByTimeAsync(30_000);
  }
  link.retryNow();
  fail();
  await vi.advanceTimersByTimeAsync(200);
  expect(attempts).toBe(9);
  const closed = link.close();
  fail();
  await closed;
});
