import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Played, Replay, type ReplayedJob } from './testing-replay.ts';

const POOLS = [
  { hosts: 6, gpusPerHost: 1 },
  { hosts: 3, gpusPerHost: 4 },
] as const;

const jobs = fc
  .array(
    fc.record({
      arrives: fc.nat({ max: 60 }),
      gpus: fc.constantFrom(1, 2, 3, 4, 6, 8, 12),
      runs: fc.integer({ min: 1, max: 40 }),
      slack: fc.constantFrom(1, 1, 1.5, 4),
    }),
    { minLength: 2, maxLength: 25 },
  )
  .map((shapes) =>
    shapes.map(({ slack, ...shape }, index): ReplayedJob => {
      const limit = Math.ceil(shape.runs * slack);
      return { ...shape, name: `j${String(index).padStart(2, '0')}`, limit };
    }),
  );

const stories = fc
  .record({ pool: fc.constantFrom(...POOLS), jobs })
  .map(({ pool, jobs: drawn }) => ({
    pool,
    jobs: drawn.filter(({ gpus }) => gpus <= pool.hosts * pool.gpusPerHost),
  }));

const check = (property: (played: readonly Played[], replay: Replay) => void) =>
  fc.assert(
    fc.property(stories, ({ pool, jobs: drawn }) => {
      const replay = new Replay(pool);
      property(replay.play(drawn), replay);
    }),
    { numRuns: 150 },
  );

describe('where all jobs have a `max_duration`', () => {
  it('a gang starts no later than at any expected start that it had', () => {
    check((played) => {
      for (const { job, startedAt, promises } of played) {
        for (const promise of promises) {
          expect([job.name, startedAt]).toEqual([job.name, Math.min(startedAt, promise.startsAt)]);
        }
      }
    });
  });

  it('the expected start of a gang is never put off', () => {
    check((played) => {
      for (const { promises } of played) {
        const starts = promises.map((one) => one.startsAt);
        expect(starts).toEqual(starts.toSorted((a, b) => b - a));
      }
    });
  });

  it('the gang at the head of the queue always knows its start', () => {
    check((played) => {
      for (const { job, startedAt, promises } of played) {
        const before = played.filter((one) => one.job.arrives < job.arrives);
        const isHead = before.every((one) => one.startedAt <= job.arrives);
        const isAlone = played.every(
          (one) =>
            one === played.find(({ job: same }) => same === job) || one.job.arrives !== job.arrives,
        );
        if (isHead && isAlone && startedAt > job.arrives) {
          expect(promises[0]?.at).toBe(job.arrives);
        }
      }
    });
  });
});
