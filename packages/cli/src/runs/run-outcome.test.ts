import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { decisiveJob, outcomeOf } from './run-outcome.ts';

interface JobFields {
  readonly status?: string;
  readonly exit_status?: number | null;
  readonly termination_reason?: string | null;
  readonly finished_at?: string;
}

const run = (fields: object, ...jobs: JobFields[]): Run =>
  ({
    status: 'failed',
    termination_reason: null,
    jobs: jobs.map((job, job_num) => ({
      job_spec: { job_num },
      job_submissions: [{ status: 'failed', exit_status: null, termination_reason: null, ...job }],
    })),
    ...fields,
  }) as unknown as Run;

test.each<[string, Run, object]>([
  [
    'that is done',
    run({ status: 'done' }, { status: 'done', exit_status: 0 }),
    { code: 0, source: 'container' },
  ],
  ['whose program failed', run({}, { exit_status: 9 }), { code: 9, source: 'container' }],
  ['whose program was killed', run({}, { exit_status: 137 }), { code: 137, source: 'container' }],
  [
    'without a place',
    run({}, { termination_reason: 'failed_to_start_due_to_no_capacity' }),
    { code: 5, source: 'dstack' },
  ],
  [
    'whose instance was lost',
    run({}, { termination_reason: 'instance_unreachable' }),
    { code: 1, source: 'dstack' },
  ],
  [
    'that failed although its program ended with 0',
    run({}, { exit_status: 0 }),
    { code: 1, source: 'dstack' },
  ],
  [
    'that was stopped',
    run(
      { status: 'terminated', termination_reason: 'stopped_by_user' },
      { status: 'terminated', exit_status: 130 },
    ),
    { code: 130, source: 'dstack' },
  ],
  [
    'that was aborted',
    run(
      { status: 'terminated', termination_reason: 'aborted_by_user' },
      { status: 'aborted', exit_status: 137 },
    ),
    { code: 130, source: 'dstack' },
  ],
  ['without jobs', run({}), { code: 1, source: 'dstack' }],
])('a run %s ends with its code', (_what, given, expected) => {
  expect(outcomeOf(given)).toEqual(expected);
});

test('of several nodes, the first that failed with a code decides', () => {
  const given = run(
    {},
    { exit_status: 143, finished_at: '2026-11-24T15:00:09Z' },
    { exit_status: 3, finished_at: '2026-11-24T15:00:01Z' },
    { exit_status: null, finished_at: '2026-11-24T15:00:00Z' },
    { status: 'done', exit_status: 0, finished_at: '2026-11-24T14:00:00Z' },
  );
  expect(decisiveJob(given)?.job_spec.job_num).toBe(1);
  expect(outcomeOf(given).code).toBe(3);
});
