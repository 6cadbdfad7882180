import { SECOND } from '@dstack/core';
import { insertRun } from './insert.ts';
import type { World } from './stores.ts';

/** Times of the tests of retention, in microseconds. */
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
export const NOW = 1_800_000_000 * SECOND;
export const START = { finishedAt: 0, jobId: '' };
export const ENOUGH = { runs: 100, jobs: 100 };

/** A run that has ended then, with jobs that had a machine; one by default. */
export const insertEnded = (
  world: World,
  name: string,
  at: number,
  jobs: readonly object[] = [{}],
) =>
  insertRun(
    world,
    { name, status: 'done', submittedAt: at, lastProcessedAt: at, nextPassAt: null },
    jobs.map((job, jobNum) => ({
      ...{ jobNum, status: 'done' as const, submittedAt: at, provisionedAt: at, finishedAt: at },
      ...job,
    })),
  );
