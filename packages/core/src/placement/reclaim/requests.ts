/** The parts of a request: it is stored with the gang that asks and with the jobs that have to leave. */
import type {
  Change,
  EvictionRecord,
  Gang,
  Id,
  PlannedShare,
  ReclaimRecord,
  Timestamp,
} from '../../model/index.ts';
import type { Claim, PlacedGang } from '../../quotas/claims.ts';

/** `grace`: seconds until a job that has to leave is killed. */
export function evictionFor(
  { run, jobs }: Gang,
  kind: EvictionRecord['kind'],
  now: Timestamp,
  grace: number,
): EvictionRecord {
  const replicaNum = jobs[0]?.replicaNum ?? 0;
  return { runId: run.id, replicaNum, kind, requestedAt: now, seconds: grace };
}

export function evictionsOf(claims: readonly Claim[], eviction: EvictionRecord): Change[] {
  return claims.map(({ jobId: id, version }) => ({
    ...{ type: 'job.update', id, version },
    set: { eviction },
  }));
}

/** The request holds only while the runs keep their priorities: a user may raise that of one that would have to leave. */
export function priorityChecks({ run }: Gang, leaving: readonly PlacedGang[]): Change[] {
  const priorities = new Map<Id, number>([[run.id, run.priority]]);
  for (const { runId, priority } of leaving) priorities.set(runId, priority);
  return [...priorities].map(([id, priority]) => ({ type: 'run.check', id, priority }));
}

export function reclaimRecord(
  claims: readonly Claim[],
  shares: readonly PlannedShare[],
  now: Timestamp,
): ReclaimRecord {
  const instances = [...claims, ...shares].map(({ instanceId }) => instanceId);
  return {
    since: now,
    runs: [...new Set(claims.map(({ runId }) => runId))],
    instances: [...new Set(instances)],
    shares,
  };
}

/** Null: the gang asks for nothing any more. */
export function reclaimOf({ jobs }: Gang, reclaim: ReclaimRecord | null): Change[] {
  return jobs.map(({ id, version }) => ({ type: 'job.update', id, version, set: { reclaim } }));
}
