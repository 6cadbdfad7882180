import type { Signal } from '@dstack/core';
import type { JobView } from '@dstack/store';
import { describe, expect, it } from 'vitest';
import { Drain } from './drain.ts';

const SECOND = 1_000_000;

function drained({ shared = false, stopDuration = 300 as number | null, requestedAt = 0 } = {}) {
  let now = 0;
  let inFlight = 1;
  let isAtRouter = false;
  const limits: number[] = [];
  let wake = () => {};
  const signals: Signal[] = [];
  const drain = new Drain({
    store: {
      shared,
      engine: { signal: async (some: Signal[]) => void signals.push(...some) },
    } as never,
    services: {
      leave: (_jobId, whenIdle) => {
        wake = whenIdle;
        return inFlight === 0;
      },
    },
    workers: {
      leave: (_view, limitMs, whenDone) => {
        limits.push(limitMs);
        wake = isAtRouter ? whenDone : wake;
        return !isAtRouter;
      },
    },
    now: () => now,
    steadySince: () => 0,
  });
  const job = { id: 'job-1', stopRequestedAt: requestedAt, spec: { stop_duration: stopDuration } };
  return {
    signals,
    limits,
    isDone: () => drain.isDone({ job } as JobView, 'job.stop:job-1:0'),
    answer: () => {
      inFlight = 0;
      wake();
    },
    routed: (is: boolean) => {
      isAtRouter = is;
      wake();
    },
    at: (seconds: number) => {
      now = seconds * SECOND;
    },
  };
}

describe('the stop of a replica that is scaled down', () => {
  it('waits until pending requests are answered, and is signalled then', () => {
    const { isDone, answer, signals } = drained();
    expect(isDone()).toBe(false);
    answer();
    expect(signals).toEqual([{ kind: 'intent', id: 'job.stop:job-1:0' }]);
    expect(isDone()).toBe(true);
  });

  it.each([
    [300, 150],
    [10, 5],
    [null, 600],
  ])('of %j seconds waits for %i at most', (stopDuration, limit) => {
    const { isDone, at } = drained({ stopDuration });
    at(limit - 1);
    expect(isDone()).toBe(false);
    at(limit);
    expect(isDone()).toBe(true);
  });

  it('waits no longer if a server with a wrong clock requested it', () => {
    const { isDone, at } = drained({ requestedAt: 3600 * SECOND });
    expect(isDone()).toBe(false);
    at(150);
    expect(isDone()).toBe(true);
  });

  it('waits until its router has removed it, within the same limit', () => {
    const { isDone, answer, routed, at, limits, signals } = drained();
    answer();
    routed(true);
    signals.length = 0;
    at(50);
    expect(isDone()).toBe(false);
    expect(limits).toEqual([100_000]);
    routed(false);
    expect(signals).toEqual([{ kind: 'intent', id: 'job.stop:job-1:0' }]);
    expect(isDone()).toBe(true);
    routed(true);
    at(150);
    expect(isDone()).toBe(true);
  });

  it('waits until all servers have received the change, if there are several', () => {
    const { isDone, answer, at } = drained({ shared: true });
    answer();
    expect(isDone()).toBe(false);
    at(2);
    expect(isDone()).toBe(true);
  });
});
