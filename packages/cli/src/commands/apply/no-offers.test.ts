import type { RunPlan } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { quotaNotices } from './no-offers.ts';

it('names what a run uses of quotas, why it borrows, and who has to leave for it', () => {
  const uses = { resource: 'gpu', used: 6, limit: 8, needed: 2 };
  const plan = {
    quota: [
      { of: 'project', fleet: null, ...uses },
      { of: 'user', fleet: 'hosts', ...uses },
    ],
    borrows: 'project main is guaranteed nothing of what the run needs',
    preempts: [
      { project: 'lab', runs: 1 },
      { project: null, runs: 2 },
    ],
  };
  expect(quotaNotices(plan as unknown as RunPlan)).toEqual([
    'Quota of the project: 6 of 8 GPUs used, the run needs 2 GPUs',
    'Your quota on fleet hosts: 6 of 8 GPUs used, the run needs 2 GPUs',
    'Borrowed: project main is guaranteed nothing of what the run needs. It may have to leave for runs of projects that are guaranteed it',
    'Has to leave for it: 1 run of project lab, 2 runs of other projects',
  ]);
  expect(quotaNotices({} as RunPlan)).toEqual([]);
});
