/** A host of eight GPUs that two projects share, for tests of who has to leave. */
import type { ClaimState, Gang, JobRecord, QuotaState } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  changesOf,
  mayUse,
  placed,
} from './testing.ts';

export const HOSTS = aFleet('hosts', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' });
export const CLUSTER = { ssh_config: { hosts: ['h'], user: 'u' }, placement: 'cluster' };
export const EIGHT = anOffer({ gpus: 8, gpu: 'H100', cpus: 64, memoryGb: 512 });
export const ctx = aContext();
export const LONG_AGO = ctx.now - 3600 * SECOND;
export const A = 'project-1';
export const B = 'project-2';
export const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

export const host = (num: number, busyBlocks = 8) =>
  anInstance(HOSTS, num, EIGHT, {
    ...{ totalBlocks: 8, busyBlocks, status: busyBlocks > 0 ? 'busy' : 'idle' },
  });

export function guarantee(projectId: string, gpu: number): QuotaState {
  const quota = { id: `q-${projectId}`, projectId, fleetId: null, userId: null };
  return {
    quota: { ...quota, guaranteed: { ...NONE, gpu }, limits: null, weight: null },
    used: {},
  };
}

/** A running job with so many GPUs of a host. */
export function claim(
  name: string,
  projectId: string,
  blocks: number,
  part: Partial<ClaimState> = {},
) {
  return {
    ...{ jobId: `job-${name}`, version: 3, runId: `run-${name}`, projectId, replicaNum: 0 },
    ...{ priority: 0, instanceId: 'hosts-0', blocks, claimedAt: LONG_AGO, runningAt: LONG_AGO },
    charge: null,
    ...{ isEnding: false, isService: false, isReady: false, eviction: null },
    ...part,
  } satisfies ClaimState;
}

export const asks = (
  name: string,
  gpu: number,
  projectId = A,
  patch: Partial<JobRecord> = {},
): Gang =>
  aGang(aRun(name, { resources: { cpu: '1..', memory: '1GB..', gpu } }, { projectId }), 0, patch);
export const waiting = { refusal: { kind: 'no-fleets' as const }, waitingSince: 1, demand: 'd' };

export const world = (part: object) => ({
  ...{ fleets: [HOSTS], instances: [host(0)], projects: mayUse([A, B], [HOSTS]) },
  ...part,
});
export const decide = (part: object, settings: object = {}) =>
  placed(world(part), [], { ...ctx, settings: { ...ctx.settings, ...settings } });
export const evicted = (decision: ReturnType<typeof placed>) =>
  changesOf(decision, 'job.update')
    .filter(({ set }) => set.eviction)
    .map(({ id }) => id);
