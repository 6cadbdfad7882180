import { expect, it } from 'vitest';
import { diagnose, type Situation } from './testing.ts';

const MEMBERS = {
  ...{ submitted: 0, pending: 0, provisioning: 0, running: 0, terminating: 0 },
  ...{ done: 0, failed: 0, terminated: 0 },
};

const DIRECTIVE = {
  ...{ priority: 0, prioritySince: 0, hold: null, eligibleAt: null, end: null },
};

function fixesOf(members: Partial<typeof MEMBERS>, run: Situation['run']) {
  const array = {
    ...{ id: 'run-train', total: 20, maxParallel: 4, maxFailures: 0, nextPosition: 20 },
    ...{ generation: 0, directive: DIRECTIVE, early: [], behind: [] },
    members: { ...MEMBERS, ...members },
  };
  return diagnose({ jobs: [], run: run ?? {}, array }).fixes.map(({ command }) => command);
}

it('an array with members that failed is shown what to do: see why, and run again what is not done', () => {
  expect(
    fixesOf({ done: 17, failed: 3 }, { status: 'failed', terminationReason: 'job_failed' }),
  ).toEqual(['dstack ps --members train', 'dstack rerun --failed train']);
});

it('a stopped array can run the rest, and one that is done needs nothing', () => {
  const stopped = { status: 'terminated', terminationReason: 'stopped_by_user' } as const;
  expect(fixesOf({ done: 5, terminated: 2 }, stopped)).toEqual(['dstack rerun --failed train']);
  const done = { status: 'done', terminationReason: 'all_jobs_done' } as const;
  expect(fixesOf({ done: 20 }, done)).toEqual([]);
});
