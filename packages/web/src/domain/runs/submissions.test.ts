import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { chooseSubmission } from './submissions.ts';

const job = (name: string, ...statuses: string[]) => ({
  job_spec: { job_name: name },
  job_submissions: statuses.map((status, submission_num) => ({ status, submission_num })),
});
const run = { jobs: [job('a', 'failed', 'running'), job('b', 'failed')] } as unknown as Run;
const chosen = (name?: string, attempt?: number) => {
  const found = chooseSubmission(run, name, attempt);
  return found && [found.job.job_spec.job_name, found.submission.submission_num];
};

it('takes what the link names', () => {
  expect(chosen('a', 1)).toEqual(['a', 0]);
  expect(chosen('a')).toEqual(['a', 1]);
});

it('begins with the first job whose latest attempt failed', () => {
  expect(chosen()).toEqual(['b', 0]);
});

it('falls back for links to jobs and attempts that are not there', () => {
  expect(chosen('a', 9)).toEqual(['a', 1]);
  expect(chosen('c')).toEqual(['b', 0]);
  expect(chooseSubmission({ jobs: [] } as unknown as Run, 'a', 1)).toBeNull();
});
