import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type BeatLimits, Heartbeat } from './heartbeat.ts';
import { withRunningTimeout } from './running-timeout.ts';
import { ChannelClosed } from './worker-channel.ts';

const limits: BeatLimits = { everyMs: 100, unresponsiveAfter: 3, lostAfter: 10 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A process that answers only where it is asked to. */
function beaten(answersAlways = false) {
  const closed = Promise.withResolvers<void>();
  const asked: PromiseWithResolvers<unknown>[] = [];
  const channel = {
    closed: closed.promise,
    ask: <T>() => {
      const one = Promise.withResolvers<unknown>();
      asked.push(one);
      if (answersAlways) one.resolve(null);
      return one.promise as Promise<T>;
    },
  };
  const seen: string[] = [];
  const heart = new Heartbeat(
    channel,
    {
      onUnresponsive: () => seen.push('unresponsive'),
      onBack: () => seen.push('back'),
      onLost: () => seen.push('lost'),
    },
    limits,
  );
  return { heart, asked, seen, close: () => closed.resolve() };
}

it('a process that answers no beats is unresponsive first, and lost later', async () => {
  const { heart, asked, seen } = beaten();
  await vi.advanceTimersByTimeAsync(300);
  expect([heart.isUnresponsive, seen]).toEqual([false, []]);
  await vi.advanceTimersByTimeAsync(100);
  expect([heart.isUnresponsive, seen]).toEqual([true, ['unresponsive']]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen).toEqual(['unresponsive', 'lost']);
  expect(asked).toHaveLength(limits.lostAfter);
});

it.each([
  ['an answer', (one: PromiseWithResolvers<unknown>) => one.resolve(null)],
  [
    'an error of an earlier version',
    (one: PromiseWithResolvers<unknown>) => one.reject(new Error('no')),
  ],
])('%s brings an unresponsive process back', async (_name, answer) => {
  const { heart, asked, seen } = beaten();
  await vi.advanceTimersByTimeAsync(900);
  answer(asked[0] as PromiseWithResolvers<unknown>);
  await vi.advanceTimersByTimeAsync(300);
  expect([heart.isUnresponsive, seen]).toEqual([false, ['unresponsive', 'back']]);
});

it('a process that answers is never unresponsive, and gets no beats once its channel is closed', async () => {
  const { asked, seen, close } = beaten(true);
  await vi.advanceTimersByTimeAsync(5000);
  expect(seen).toEqual([]);
  close();
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked).toHaveLength(50);
});

it('a channel that closes is no answer', async () => {
  const { asked, seen } = beaten();
  await vi.advanceTimersByTimeAsync(400);
  for (const one of asked) one.reject(new ChannelClosed());
  await vi.advanceTimersByTimeAsync(0);
  expect(seen).toEqual(['unresponsive']);
});

it('a limit of running time ends a wait, and work that is done in time its limit', async () => {
  const onTimeout = () => {
    throw new Error('late');
  };
  const never = withRunningTimeout(() => new Promise(() => {}), { ms: 1000, onTimeout });
  const failed = expect(never).rejects.toThrow('late');
  await vi.advanceTimersByTimeAsync(1000);
  await failed;
  expect(await withRunningTimeout(async () => 7, { ms: 1000, onTimeout })).toBe(7);
  expect(vi.getTimerCount()).toBe(0);
});
