import { describe, expect, it } from 'vitest';
import { RateBuckets } from './rate-buckets.ts';
import type { Rate } from './rate-limits.ts';
import { SharedRates, type SharedRatesOptions } from './shared-rates.ts';

type Asked = Parameters<SharedRatesOptions['ask']>[0];

/** Processes that share limits, and the one that counts for all; its answers wait until `flush`. */
function world(processes: number) {
  const clock = { now: 0 };
  const state = { isAway: false };
  const asked: Asked[] = [];
  const buckets = new RateBuckets(() => clock.now);
  const open: (() => void)[] = [];
  const ask = (one: Asked) =>
    new Promise<Awaited<ReturnType<SharedRatesOptions['ask']>>>((resolve) => {
      asked.push(one);
      open.push(() =>
        resolve(state.isAway ? null : buckets.takeUpTo(one.key, one.rate, one.service, one.most)),
      );
    });
  const shared = Array.from(
    { length: processes },
    () => new SharedRates({ ask, processes: () => processes, now: () => clock.now }),
  );
  const flush = async () => {
    for (let n = 0; n < 20; n++) {
      for (const answer of open.splice(0)) answer();
      await Promise.resolve();
    }
  };
  /** How many of so many requests at each process are allowed. */
  const allowed = async (requests: number, rate: Rate, at = shared) => {
    const waits = at.flatMap((one) =>
      Array.from({ length: requests }, async () => await one.take('key', rate, 'run')),
    );
    for (let n = 0; n < 20; n++) await flush();
    return (await Promise.all(waits)).filter((wait) => wait === 0).length;
  };
  return { clock, state, asked, shared, allowed };
}

/**
 * Requests with this many milliseconds between them for two seconds, while a question takes 25 ms each way: how many are
 * sent, answered and allowed, and how long (ms) one waits at most.
 */
async function paced(between: number, rate: Rate, processes: number) {
  const clock = { now: 0 };
  const buckets = new RateBuckets(() => clock.now, { mostWaitedMs: 2000 });
  const due: { readonly at: number; readonly run: () => void }[] = [];
  const ask: SharedRatesOptions['ask'] = (one) =>
    new Promise((resolve) => {
      const arrives = () => {
        const { key, service, most, waitedMs } = one;
        const taken = buckets.takeUpTo(key, one.rate, service, most, waitedMs);
        due.push({ at: clock.now + 25, run: () => resolve(taken) });
      };
      due.push({ at: clock.now + 25, run: arrives });
    });
  const shared = Array.from(
    { length: processes },
    () => new SharedRates({ ask, processes: () => Math.max(2, processes), now: () => clock.now }),
  );
  const counts = { sent: 0, answered: 0, allowed: 0, longest: 0 };
  const send = async (one: SharedRates | undefined) => {
    counts.sent += 1;
    const began = clock.now;
    if ((await one?.take('key', rate, 'run')) === 0) counts.allowed += 1;
    counts.answered += 1;
    counts.longest = Math.max(counts.longest, clock.now - began);
  };
  for (let next = 0; clock.now < 2200; clock.now += 1) {
    for (; next <= clock.now && next < 2000; next += between) {
      void send(shared[counts.sent % processes]);
    }
    for (const one of due.filter(({ at }) => at <= clock.now)) {
      due.splice(due.indexOf(one), 1);
      one.run();
    }
    for (let n = 0; n < 10; n++) await Promise.resolve();
  }
  return counts;
}

describe('limits that several processes share', () => {
  it.each([1, 2, 3])(
    'allow all requests below the rate by questions of 50 ms, of %i',
    async (n) => {
      const { allowed, longest } = await paced(2, { rps: 600, burst: 0 }, n);
      expect(allowed).toBe(1000);
      expect(longest).toBeLessThanOrEqual(102);
    },
  );

  it.each([1, 2, 3])('refuse at once what is beyond the rate, of %i', async (n) => {
    const { sent, answered, allowed, longest } = await paced(0.5, { rps: 600, burst: 0 }, n);
    expect(answered).toBe(sent);
    expect(allowed).toBeGreaterThan(0.9 * 2 * 600);
    expect(allowed).toBeLessThanOrEqual(1 + 2.1 * 600);
    expect(longest).toBeLessThanOrEqual(102);
  });

  it('allow in sum what one process would, however the requests are spread', async () => {
    const { clock, allowed, shared } = world(3);
    const rate = { rps: 10, burst: 4 };
    expect(await allowed(20, rate)).toBe(5);
    clock.now += 300;
    // All of it at one of them: no part is kept for the others.
    expect(await allowed(20, rate, shared.slice(0, 1))).toBe(3);
    expect(await allowed(20, rate, shared.slice(1))).toBe(0);
    clock.now += 10_000;
    expect(await allowed(20, rate, shared.slice(2))).toBe(5);
  });

  it('need one question per key at a time, and none until the next request is allowed', async () => {
    const { clock, allowed, asked, shared } = world(2);
    const rate = { rps: 2, burst: 9 };
    const one = shared.slice(0, 1);
    expect(await allowed(500, rate, one)).toBe(10);
    expect(asked.map(({ most }) => most)).toEqual([1, 499]);
    expect(await allowed(500, rate, one)).toBe(0);
    clock.now += 499;
    expect(await allowed(500, rate, one)).toBe(0);
    expect(asked).toHaveLength(2);
    clock.now += 1;
    expect(await allowed(500, rate, one)).toBe(1);
  });

  it('do not let a flood wait for one question after the other', async () => {
    const { allowed, asked, shared } = world(2);
    expect(await allowed(10_000, { rps: 2, burst: 9 }, shared.slice(0, 1))).toBe(10);
    expect(asked.map(({ most }) => most)).toEqual([1, 1000, 1000]);
  });

  it('allow each process its part while no process counts for all', async () => {
    const { clock, state, allowed } = world(2);
    const rate = { rps: 10, burst: 9 };
    state.isAway = true;
    expect(await allowed(50, rate)).toBe(10);
    clock.now += 1000;
    expect(await allowed(50, rate)).toBe(10);
    clock.now += 200;
    expect(await allowed(50, rate)).toBe(2);
  });

  it('are not allowed a second time when the process that counted for all does not answer any more', async () => {
    const { state, allowed } = world(2);
    const rate = { rps: 1, burst: 9 };
    expect(await allowed(5, rate)).toBe(10);
    state.isAway = true;
    expect(await allowed(50, rate)).toBe(0);
  });

  it('are asked for again after the clock was set back by a day', async () => {
    const { clock, allowed } = world(2);
    clock.now = 86_400_000;
    const rate = { rps: 1, burst: 0 };
    expect(await allowed(5, rate)).toBe(1);
    clock.now = 0;
    expect(await allowed(5, rate)).toBe(0);
    clock.now += 1000;
    expect(await allowed(5, rate)).toBe(1);
  });

  it('are those of one process if there is no other', async () => {
    const { allowed, asked } = world(1);
    expect(await allowed(20, { rps: 1, burst: 4 })).toBe(5);
    expect(asked).toEqual([]);
  });
});
