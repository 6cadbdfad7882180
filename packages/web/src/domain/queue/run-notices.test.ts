import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { runNotices } from './run-notices.ts';

const notice = (message: string, second: number) => ({
  message,
  interrupt_at: `2026-12-01T08:00:0${second}Z`,
  ends_at: `2026-12-01T08:01:0${second}Z`,
});
const job = (job_name: string, status: string, more: object = {}) => ({
  job_spec: { job_name },
  job_submissions: [{ status, ...more }],
});
const runOf = (...jobs: unknown[]) => ({ jobs }) as unknown as Run;

it('joins the jobs that leave for one reason, with the time of the first', () => {
  const run = runOf(
    job('a', 'running', { notice: notice('drained', 3) }),
    job('b', 'running', { notice: notice('drained', 1) }),
    job('c', 'running', { notice: notice('taken back', 2) }),
    job('d', 'running'),
  );
  expect(runNotices(run)).toEqual([
    { ...notice('drained', 1), jobs: ['a', 'b'] },
    { ...notice('taken back', 2), jobs: ['c'] },
  ]);
});

it('has nothing of jobs that have left', () => {
  expect(runNotices(runOf(job('a', 'failed', { notice: notice('drained', 1) })))).toEqual([]);
});
