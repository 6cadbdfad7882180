import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { jobsParameter, MOST_MERGED, mergedJobs } from './chosen-jobs.ts';

function runOf(count: number): Run {
  const run = aRun('train');
  const [job] = run.jobs as [Run['jobs'][number]];
  const jobs = Array.from({ length: count }, (_, index) => ({
    ...job,
    job_spec: { ...job.job_spec, job_name: `train-${index}-0` },
  }));
  return { ...run, jobs };
}

const chosen = (run: Run, parameter: string | undefined) =>
  mergedJobs(run, parameter)?.map(({ job_spec }) => job_spec.job_name) ?? null;

it.each([
  ['all', ['train-0-0', 'train-1-0', 'train-2-0']],
  ['train-2-0,train-0-0', ['train-0-0', 'train-2-0']],
  ['train-2-0,train-2-0,gone-0-0', ['train-2-0']],
  ['gone-0-0,gone-1-0', null],
  ['train-1-0', null],
  [undefined, null],
])('the address %s merges %j', (parameter, names) => {
  expect(chosen(runOf(3), parameter)).toEqual(names);
});

it('nothing is merged where there is only one job', () => {
  expect(chosen(runOf(1), 'all')).toBeNull();
});

it('more jobs than a browser can read are not merged', () => {
  const names = Array.from({ length: 100 }, (_, index) => `train-${index}-0`);
  expect(chosen(runOf(100), jobsParameter(names))).toHaveLength(MOST_MERGED);
});
