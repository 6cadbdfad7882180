import { describe, expect, it } from 'vitest';
import type { ClaimState, QuotaState } from '../model/index.ts';
import { aFleet, anInstance, anOffer, aSpec, NOW } from '../placement/testing.ts';
import { borrowing, type PlanInput, planJobSpecs, planRun } from './index.ts';

const HOSTS = aFleet('hosts', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' });
const machine = anOffer({ gpus: 8, cpus: 64, memoryGb: 512 });
const instance = anInstance(HOSTS, 0, machine, { totalBlocks: 8, busyBlocks: 6, status: 'busy' });
const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

const quota = (part: object, used: QuotaState['used'] = {}): QuotaState => ({
  quota: {
    ...{ id: JSON.stringify(part), projectId: 'project-1', fleetId: null, userId: null },
    ...{ guaranteed: null, limits: null, weight: null },
    ...part,
  },
  used,
});

function input(quotas: readonly QuotaState[]): PlanInput {
  const spec = aSpec('train', { resources: { gpu: 2, cpu: '4..' }, nodes: 1 });
  const built = planJobSpecs(spec);
  if (!built.ok) throw new Error(built.message);
  return {
    now: NOW,
    ...{ projectId: 'project-1', projectName: 'main', projectNames: {}, userId: 'ann' },
    ...{ fleets: [HOSTS], instances: [instance], volumes: [] },
    offersOnly: new Set(),
    ...{ serverHosts: [], settings: { localMaxInstances: 4 } },
    ...{ spec, jobSpecs: built.jobSpecs, quotas },
  };
}

const quotaUse = (given: PlanInput) => planRun(given, new Map()).quota;

const claim = (projectId: string, blocks: number): ClaimState => ({
  ...{ jobId: projectId, version: 1, runId: projectId, replicaNum: 0, projectId, priority: 0 },
  ...{ instanceId: instance.id, blocks, charge: null, claimedAt: 1, runningAt: 1 },
  ...{ isEnding: false, eviction: null, isService: false, isReady: false },
});

describe('what a planned run uses of quotas', () => {
  it('is shown for each limit that holds for it, beside what is used', () => {
    const limits = { ...NONE, runs: null, gpu: 8, cpu: 64 };
    const ofUser = { ...NONE, runs: null, gpu: 4 };
    const uses = quotaUse(
      input([
        quota({ limits }, { '': { gpu: 6, cpu: 48_000 } }),
        quota({ limits: ofUser, userId: '*' }, { ann: { gpu: 1 } }),
        quota({ limits, projectId: 'project-2' }),
      ]),
    );
    expect(uses).toEqual([
      { of: 'project', fleet: null, resource: 'gpu', used: 6, limit: 8, needed: 2 },
      { of: 'project', fleet: null, resource: 'cpu', used: 48, limit: 64, needed: 16 },
      { of: 'user', fleet: null, resource: 'gpu', used: 1, limit: 4, needed: 2 },
    ]);
    expect(quotaUse(input([]))).toEqual([]);
  });
});

describe('a planned run', () => {
  const guaranteed = (projectId: string, gpu: number) =>
    quota({ projectId, guaranteed: { ...NONE, gpu } });

  it('borrows beyond the guarantee of its project, where others are guaranteed the same', () => {
    const quotas = [guaranteed('project-1', 4), guaranteed('project-2', 4)];
    expect(borrowing(input(quotas), [claim('project-1', 2)])).toBeNull();
    expect(borrowing(input(quotas), [claim('project-1', 3)])).toBe(
      'project main is guaranteed 4 GPUs and uses 3 GPUs, the run needs 2 GPUs',
    );
    expect(borrowing(input([guaranteed('project-2', 4)]), [])).toBe(
      'project main is guaranteed nothing of what the run needs',
    );
  });

  it('borrows nothing where no other project is guaranteed what it needs', () => {
    expect(borrowing(input([guaranteed('project-1', 1)]), [])).toBeNull();
    const cost = quota({ projectId: 'project-2', guaranteed: { ...NONE, cost: 64 } });
    expect(borrowing(input([cost]), [])).toBeNull();
    expect(borrowing(input([]), [])).toBeNull();
  });
});
