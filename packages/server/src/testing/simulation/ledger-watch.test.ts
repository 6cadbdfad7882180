import type { Change, PricedInterval } from '@dstack/core';
import { instanceRecord } from '@dstack/core/testing';
import { beforeEach, expect, test } from 'vitest';
import { LedgerWatch } from './ledger-watch.ts';

const HOUR = 3_600_000_000;

const WHOLE: PricedInterval = {
  ...{ subjectId: 'machine', run: null, projectId: 'project', instanceId: 'machine' },
  ...{ fleetId: 'fleet', fleetName: 'fleet', price: 1_000_000, gpus: 0, gpu: '' },
  ...{ blocks: 4, totalBlocks: 4, since: HOUR, until: 3 * HOUR },
};

const PART: PricedInterval = {
  ...WHOLE,
  ...{ subjectId: 'job', run: { id: 'run', name: 'run', userId: 'ann', tags: {} } },
  ...{ blocks: 1, since: 2 * HOUR },
};

const entered = (interval: PricedInterval): Change => ({ type: 'ledger.append', interval });

const machineEnds: Change = {
  ...{ type: 'instance.update', id: 'machine', version: 0 },
  set: { finishedAt: 3 * HOUR },
};

const jobLeaves: Change = {
  ...{ type: 'job.update', id: 'job', version: 0 },
  set: { instanceId: null, claimedBlocks: 0, finishedAt: 3 * HOUR },
};

let breaches: string[] = [];
let watch: LedgerWatch;

/** A job with one of four blocks of a machine. */
beforeEach(() => {
  breaches = [];
  watch = new LedgerWatch({
    isTimeSteady: true,
    onBreach: ({ message }) => breaches.push(message),
  });
  const instance = instanceRecord({ id: 'machine', startedAt: HOUR });
  const set = { instanceId: 'machine', claimedBlocks: 1, provisionedAt: 2 * HOUR };
  watch.applied([
    { type: 'instance.insert', instance },
    { type: 'job.update', id: 'job', version: 0, set },
  ]);
});

test('a job that pays for its own blocks until its machine ends is no breach', () => {
  watch.applied([machineEnds, entered(WHOLE)]);
  watch.applied([jobLeaves, entered(PART)]);
  expect(breaches).toEqual([]);
});

test('a job or a machine that ends without an entry is a breach', () => {
  watch.applied([jobLeaves]);
  watch.applied([machineEnds]);
  expect(breaches).toEqual([
    'invariant 26: the job job has left its machine, and nothing was entered',
    'invariant 26: the machine machine has ended, and nothing was entered',
  ]);
});

test('a job that pays for blocks of others is a breach', () => {
  watch.applied([jobLeaves, entered({ ...PART, blocks: 4 })]);
  expect(breaches).toEqual(['invariant 26: the job job pays for 4 blocks, and has claimed 1']);
});

test('a job that pays for a moment after the end of its machine is a breach', () => {
  watch.applied([machineEnds, entered(WHOLE)]);
  watch.applied([jobLeaves, entered({ ...PART, until: 3 * HOUR + 1 })]);
  expect(breaches).toEqual([
    'invariant 26: the job job pays for 1 µs after the end of its machine',
  ]);
});
