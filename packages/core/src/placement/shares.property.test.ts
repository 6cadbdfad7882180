/** Checks the promises of shares over simulated weeks of a pool that is always full. */
import { describe, expect, it } from 'vitest';
import { EndlessPool, type EndlessUser, HALF_LIFE, type StartedJob } from './testing-shares.ts';

/** Deterministic numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return state / 2 ** 32;
  };
}

/** Jobs of 1, 2 or 4 GPUs for half an hour to ten hours. */
function endless(project: string, user: string, seed: number, more: object = {}): EndlessUser {
  const random = numbers(seed);
  const next = () => ({
    gpus: 2 ** Math.floor(random() * 3),
    hours: 0.5 + random() * 9.5,
    priority: Math.floor(random() * 2),
  });
  return { project, user, next, ...more };
}

const WEEK = 7 * 24;

/** GPU hours of a project that lie between two hours. */
const gpuHours = (jobs: readonly StartedJob[], project: string, from: number, to: number) =>
  jobs
    .filter((job) => job.project === project)
    .reduce(
      (sum, { gpus, at, endsAt }) =>
        sum + gpus * Math.max(0, Math.min(endsAt, to) - Math.max(at, from)),
      0,
    );

describe('endless demand', () => {
  it.each([1, 2, 3])(
    'of two projects gets them equal usage, whatever their users and jobs are (seed %i)',
    (seed) => {
      const users = [
        endless('a', 'ann', seed),
        ...['bob', 'eve', 'dan'].map((user, n) => endless('b', user, seed * 10 + n)),
      ];
      const pool = new EndlessPool(2, users, { a: 1 });
      pool.until(3 * WEEK);
      const [a, b] = [pool.usageOf('a'), pool.usageOf('b')];
      expect(Math.abs(a - b) / (a + b)).toBeLessThan(0.02);
      const hours = (project: string) => gpuHours(pool.started, project, WEEK, 3 * WEEK);
      expect(hours('a') / hours('b')).toBeCloseTo(1, 1);
    },
  );

  it('of projects with the weights 2 and 1 gets one of them twice as much', () => {
    const pool = new EndlessPool(2, [endless('a', 'ann', 5), endless('b', 'bob', 6)], { a: 2 });
    pool.until(3 * WEEK);
    expect(pool.usageOf('a') / pool.usageOf('b')).toBeCloseTo(2, 1);
  });

  it('of users in one project gets them equal usage', () => {
    const pool = new EndlessPool(1, [endless('a', 'ann', 7), endless('a', 'eve', 8)], { a: 1 });
    pool.until(2 * WEEK);
    const hours = (user: string) =>
      gpuHours(
        pool.started.filter((job) => job.user === user),
        'a',
        WEEK,
        2 * WEEK,
      );
    expect(hours('ann') / hours('eve')).toBeGreaterThan(0.8);
    expect(hours('ann') / hours('eve')).toBeLessThan(1.25);
  });

  it('after a month without work gets a project the whole pool for no longer than a half-life', () => {
    const month = 30 * 24;
    const users = [endless('a', 'ann', 9, { from: month }), endless('b', 'bob', 10)];
    const pool = new EndlessPool(1, users, { a: 1 });
    pool.until(month + 2 * WEEK);
    const partOf = (from: number, to: number) => {
      const [a = 0, b = 0] = ['a', 'b'].map((one) =>
        gpuHours(pool.started, one, month + from, month + to),
      );
      return a / (a + b);
    };
    // Jobs of the other one end, and use what no job of the first fits into.
    expect(partOf(24, 0.8 * HALF_LIFE)).toBeGreaterThan(0.85);
    expect(partOf(1.1 * HALF_LIFE, 2 * HALF_LIFE)).toBeGreaterThan(0.4);
    expect(partOf(1.1 * HALF_LIFE, 2 * HALF_LIFE)).toBeLessThan(0.6);
  });

  it('is first in, first out within a project, a priority and a user, of jobs that need the same', () => {
    const users = [
      ...['ann', 'eve'].map((user, n) => endless('a', user, 20 + n)),
      ...['bob', 'dan'].map((user, n) => endless('b', user, 30 + n)),
    ];
    const pool = new EndlessPool(2, users, { b: 3 });
    pool.until(WEEK);
    const groups = Map.groupBy(pool.started, (job) =>
      [job.project, job.user, job.priority, job.gpus].join(' '),
    );
    expect(groups.size).toBe(24);
    for (const jobs of groups.values()) {
      const submitted = jobs.map(({ submittedAt }) => submittedAt);
      expect(submitted).toEqual(submitted.toSorted((a, b) => a - b));
    }
  });
});
