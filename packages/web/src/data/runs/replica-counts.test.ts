import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { replicaCounts } from './replica-counts.ts';

const job = (replica: number, ...statuses: string[]) =>
  ({
    job_spec: { replica_group: '0', replica_num: replica },
    job_submissions: statuses.map((status) => ({ status })),
  }) as unknown as Run['jobs'][number];

it('counts the replicas that a service wants and those that run, by their latest attempts', () => {
  const jobs = [job(0, 'failed', 'running'), job(1, 'provisioning'), job(2, 'terminated')];
  expect(replicaCounts([...jobs, job(3, 'terminating')])).toEqual({ desired: 2, running: 1 });
});

it('counts a replica of several jobs once, as running when all of them are', () => {
  const jobs = [job(0, 'running'), job(0, 'pulling'), job(1, 'running'), job(1, 'running')];
  expect(replicaCounts(jobs)).toEqual({ desired: 2, running: 1 });
  expect(replicaCounts([])).toEqual({ desired: 0, running: 0 });
});
