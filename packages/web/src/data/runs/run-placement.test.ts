import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { runPlacement } from './run-placement.ts';

const GPU = { name: 'H100', memory_mib: 81_920 };

function job(name: string, instance: string, finished_at: string | null, gpus: object[] = []) {
  const resources = { cpus: 4, memory_mib: 1024, gpus, spot: false, disk: { size_mib: 10 } };
  const [one] = aRun(name).jobs;
  return {
    ...one,
    job_submissions: [
      {
        finished_at,
        job_provisioning_data: {
          ...{ backend: 'aws', region: 'eu-west-1', price: 2, instance_id: instance },
          instance_type: { name: 'p5', resources },
        },
      },
    ],
  };
}

const jobs = [
  job('a', 'i-1', null, [GPU]),
  job('b', 'i-2', null, [GPU]),
  job('c', 'i-1', '2026-11-26T12:00:00Z'),
] as unknown as Run['jobs'];

it('adds up what the unfinished jobs have, on how many instances', () => {
  expect(runPlacement(jobs, false)).toEqual({
    ...{ instances: 2, price: 4, backend: 'aws', region: 'eu-west-1', instanceType: 'p5' },
    resources: { cpus: 8, memory_mib: 2048, gpus: [GPU, GPU], spot: false, disk: { size_mib: 20 } },
  });
});

it('counts the part of the price that the blocks of a job are', () => {
  const [whole] = jobs;
  const share = structuredClone(whole) as unknown as {
    job_submissions: { job_runtime_data: unknown }[];
  };
  const [submission] = share.job_submissions;
  if (submission) submission.job_runtime_data = { offer: { blocks: 1, total_blocks: 4 } };
  expect(runPlacement([share] as unknown as Run['jobs'], false)?.price).toBe(0.5);
});

it('counts all jobs of a run that has ended, and none that is not placed', () => {
  expect(runPlacement(jobs, true)?.price).toBe(6);
  expect(runPlacement(aRun('x').jobs, false)).toBeNull();
});
