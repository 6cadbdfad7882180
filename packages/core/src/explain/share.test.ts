/** Why a run waits in a pool that is shared by weight. */
import { expect, it } from 'vitest';
import { SECOND } from '../model/values.ts';
import { aGang, aRun, mayUse } from '../placement/testing.ts';
import { diagnose, held, NOW } from './testing.ts';
import { host, LAB, WAITS } from './testing-waiting.ts';

const projects = mayUse(['project-1', 'project-2'], [LAB]);
const quota = {
  ...{ id: 'q', projectId: 'project-1', fleetId: null, userId: null },
  ...{ guaranteed: null, limits: null, weight: 2 },
};
const used = (projectId: string, userId: string, usage: number) => ({
  ...{ projectId, userId, usage, rate: 0 },
});

function explained(states: readonly ReturnType<typeof used>[], other: object) {
  return diagnose({
    run: { userId: 'ann' },
    job: WAITS,
    ...{ fleets: [LAB], instances: [host(0)], projects },
    others: [aGang(aRun('other', {}, { submittedAt: 9e15, ...other }))],
    quotas: [{ quota, used: {} }],
    shares: { states, gpuPrices: {} },
  });
}

it('a run waits behind those of a project that has used less for its weight', () => {
  const other = { projectId: 'project-2', userId: 'bob' };
  const { reasons } = explained([used('project-1', 'ann', 120)], other);
  expect(reasons.find(({ rule }) => rule === 'share')?.text).toBe(
    'runs of projects that have used less for their weight come first: this one has used 120.0 GPU hours for its weight 2',
  );
  const before = explained([used('project-2', 'bob', 120)], other);
  expect(before.reasons.map(({ rule }) => rule)).not.toContain('share');
});

it('a run waits behind those of a user of its project who has used less', () => {
  const { reasons } = explained([used('project-1', 'ann', 12)], { userId: 'eve' });
  expect(reasons.find(({ rule }) => rule === 'share')?.text).toBe(
    'runs of users who have used less for their weight come first: the user of this one has used 12.0 GPU hours for his weight 1',
  );
});

it('a run that borrows may have to leave, and one within its guarantee may not', () => {
  const NONE = { gpu: null, cpu: null, memory: null, cost: null };
  const guaranteed = (projectId: string, instances: number) => ({
    quota: { ...quota, id: projectId, projectId, guaranteed: { ...NONE, instances }, weight: null },
    used: {},
  });
  const present = host(0, { status: 'busy', busyBlocks: 1, totalBlocks: 1 });
  const claim = {
    ...{ jobId: 'job-train-0-0', version: 1, runId: 'run-train', projectId: 'project-1' },
    ...{ replicaNum: 0, priority: 0, instanceId: present.id, blocks: 1, charge: null },
    ...{ claimedAt: 1, runningAt: 1, isEnding: false, eviction: null },
    ...{ isService: false, isReady: false },
  };
  const explain = (...quotas: ReturnType<typeof guaranteed>[]) =>
    diagnose({
      run: { status: 'running' },
      job: { status: 'running', instanceId: present.id, claimedBlocks: 1 },
      ...{ fleets: [LAB], instances: [present], claims: [claim], quotas },
    }).reasons.find(({ rule }) => rule === 'borrowed');
  expect(explain(guaranteed('project-2', 1))).toMatchObject({
    has: 'instances',
    text: 'uses more than its project is guaranteed (instances): it may have to leave for runs of projects that are guaranteed it',
  });
  expect(explain(guaranteed('project-2', 1), guaranteed('project-1', 1))).toBeUndefined();
  expect(explain()).toBeUndefined();
});

it('a run for which others have to leave names them and the end, and is not advised to retry', () => {
  const present = host(0, { status: 'busy', busyBlocks: 1, totalBlocks: 1 });
  const victim = {
    ...{ jobId: 'job-eval-0-0', version: 1, runId: 'run-eval', projectId: 'project-1' },
    ...{ replicaNum: 0, priority: 0, instanceId: present.id, blocks: 1, charge: null },
    ...{ claimedAt: 1, runningAt: 1, isEnding: false, isService: false, isReady: false },
    eviction: {
      ...{ runId: 'run-train', replicaNum: 0, kind: 'priority' as const },
      ...{ requestedAt: NOW, seconds: 60 },
    },
  };
  const explain = (runs: readonly string[]) =>
    diagnose({
      run: { userId: 'ann' },
      job: { ...WAITS, reclaim: { since: NOW, runs, instances: [present.id] } },
      ...{ fleets: [LAB], instances: [present], claims: [victim] },
      holders: [held(present, 'eval')],
    });
  const asked = explain(['run-eval']);
  expect(asked).toMatchObject({ state: 'waiting', waiting_for: 'preempting' });
  expect(asked.summary).toContain(
    'eval has to leave for it, by 2023-11-14 22:14:20 UTC at the latest; fleet lab is full',
  );
  expect(asked.reasons[0]).toMatchObject({ has: 'eval', until: NOW + 60 * SECOND });
  expect(explain([]).summary).toContain('jobs that have not run long enough to have to leave');
  for (const { fixes } of [asked, explain([])]) {
    expect(fixes.map(({ value }) => value)).not.toContainEqual(expect.stringContaining('retry'));
  }
});

it('the explanation of a run that has to leave contains when, and why', () => {
  const notice = {
    ...{ message: 'lab-0 is drained by ann', requestedAt: NOW },
    ...{ interruptAt: NOW + 30 * SECOND, endsAt: NOW + 60 * SECOND },
  };
  const present = host(0, { status: 'busy', busyBlocks: 1, totalBlocks: 1 });
  const diagnosis = diagnose({
    run: { status: 'running' },
    job: { status: 'running', instanceId: present.id, claimedBlocks: 1, notice },
    ...{ fleets: [LAB], instances: [present] },
  });
  expect(diagnosis.summary).toBe(
    'Run train runs on lab-0, and has to leave it by 2023-11-14 22:14:20 UTC (Ctrl-C: 2023-11-14 22:13:50 UTC): lab-0 is drained by ann.',
  );
  expect(diagnosis.reasons[0]).toMatchObject({ rule: 'leaving', until: NOW + 60 * SECOND });
});
