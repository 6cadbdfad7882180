import { SECOND, type Timestamp } from '@dstack/core';
import type { RunCount } from '@dstack/store';
import { expect, it } from 'vitest';
import { RunCounts } from './run-counts.ts';

const MINUTE = 60 * SECOND;

/** Ended runs by the time of their end, and how many rows each question has read. */
function world() {
  const ended: { at: Timestamp; status: RunCount['status'] }[] = [];
  const read: number[] = [];
  const counted = (status: RunCount['status'], count: number): RunCount => ({
    ...{ projectId: 'main', userId: 'ann', status, count },
  });
  const counts = new RunCounts({
    runs: {
      unfinishedCounts: async () => [counted('running', 2)],
      endedCounts: async (from, until, limit) => {
        const found = ended.filter(({ at }) => at >= from && at < until);
        const cut = found.length > limit ? (found[limit]?.at ?? null) : null;
        const piece = found.filter(({ at }) => cut === null || at < cut);
        read.push(piece.length);
        return {
          counts: [...Map.groupBy(piece, ({ status }) => status)].map(([status, all]) =>
            counted(status, all.length),
          ),
          next: cut,
        };
      },
    },
  });
  const of = async (now: Timestamp) => {
    read.length = 0;
    const all = await counts.read(now);
    return Object.fromEntries(all.map(({ status, count }) => [status, count]));
  };
  return { ended, read, of };
}

it('counts every run once, in pieces', async () => {
  const { ended, read, of } = world();
  for (let n = 0; n < 50_001; n++) {
    ended.push({ at: n * SECOND, status: n % 2 ? 'done' : 'failed' });
  }
  const now = 60_000 * SECOND;
  expect(await of(now)).toEqual({ done: 25_000, failed: 25_001, running: 2 });
  expect(Math.max(...read)).toBe(20_000);
  expect(await of(now + SECOND)).toEqual({ done: 25_000, failed: 25_001, running: 2 });
  // Runs that ended long ago are not counted again.
  expect(read).toEqual([0, 0]);
});

it('misses no run that ends before a time that a wrong clock has counted up to', async () => {
  const { ended, of } = world();
  const now = 1000 * MINUTE;
  ended.push({ at: now - 60 * MINUTE, status: 'done' });
  expect(await of(now + 600 * MINUTE)).toMatchObject({ done: 1 });
  ended.push({ at: now + MINUTE, status: 'done' });
  expect(await of(now + 2 * MINUTE)).toMatchObject({ done: 2 });
  expect(await of(now + 700 * MINUTE)).toMatchObject({ done: 2 });
});

it('counts a run again whose end is written late, and never loses one that retention deletes', async () => {
  const { ended, of } = world();
  const now = 1000 * MINUTE;
  ended.push({ at: now - 20 * MINUTE, status: 'done' }, { at: now - MINUTE, status: 'done' });
  expect(await of(now)).toMatchObject({ done: 2 });
  ended.push({ at: now - 2 * MINUTE, status: 'done' });
  expect(await of(now + MINUTE)).toMatchObject({ done: 3 });
  expect(await of(now + 30 * MINUTE)).toMatchObject({ done: 3 });
  ended.length = 0;
  expect(await of(now + 31 * MINUTE)).toEqual({ done: 3, running: 2 });
});
