/** Jobs with places, for preemption. */
import { isJobTerminating, UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import {
  type CapacitySnapshot,
  type ClaimState,
  type EvictionRecord,
  type Gang,
  hasPriorityPreemption,
  type Id,
  type QuotaState,
} from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { decodeCharge } from './charges.ts';

/** Whether jobs may have to leave: a project is guaranteed something. */
export function hasGuarantees(quotas: readonly QuotaState[]): boolean {
  return quotas.some(({ quota }) => quota.guaranteed !== null);
}

/**
 * On the instances of all fleets of the pool, also of those that no waiting project may use: what runs there counts
 * against the guarantee of its project too.
 */
export async function loadClaims(tx: Tx, poolId: Id): Promise<ClaimState[]> {
  const rows = await tx
    .selectFrom('fleets as f')
    .innerJoin('instances as i', 'i.fleet_id', 'f.id')
    .innerJoin('jobs as j', 'j.instance_id', 'i.id')
    .innerJoin('runs as r', 'r.id', 'j.run_id')
    .select(['j.id', 'j.version', 'j.run_id', 'j.project_id', 'j.replica_num', 'j.instance_id'])
    .select(['j.claimed_blocks', 'j.charge', 'j.status', 'j.notice', 'j.eviction', 'j.ready'])
    .select(['j.running_at', 'j.provisioned_at', 'j.submitted_at', 'j.stop_requested_at'])
    .select(['r.priority', 'r.service_spec'])
    .where('f.pool_id', '=', poolId)
    .where('i.deleted', '=', false)
    .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
    .orderBy('j.id')
    .execute();
  return rows.map((row) => {
    const charge = decodeCharge(row.charge);
    const eviction =
      typeof row.eviction === 'string' ? (JSON.parse(row.eviction) as EvictionRecord) : null;
    return {
      ...{ jobId: row.id, version: row.version, runId: row.run_id, projectId: row.project_id },
      ...{ replicaNum: row.replica_num, priority: row.priority, instanceId: row.instance_id ?? '' },
      ...{ blocks: row.claimed_blocks, charge, runningAt: row.running_at, eviction },
      claimedAt: charge?.claimedAt ?? row.provisioned_at ?? row.submitted_at,
      isEnding:
        isJobTerminating(row.status) ||
        row.stop_requested_at !== null ||
        (row.notice !== null && eviction === null),
      isService: row.service_spec !== null,
      isReady: Boolean(row.ready),
    };
  });
}

/** Others have to leave for it. */
export const hasAsked = ({ jobs }: Gang): boolean => (jobs[0]?.reclaim ?? null) !== null;

/** For people who look at a queue: as a pass would read them, and only where it would. `withClaims`: see `loadPlacement`. */
export async function claimsBeside(
  tx: Tx,
  projectId: Id,
  { quotas = [], fleets }: Pick<CapacitySnapshot, 'quotas' | 'fleets'>,
  withClaims = false,
): Promise<{ readonly claims?: readonly ClaimState[] }> {
  if (!withClaims && !hasGuarantees(quotas) && !hasPriorityPreemption(fleets)) return {};
  const row = await tx
    .selectFrom('projects')
    .select('pool_id')
    .where('id', '=', projectId)
    .executeTakeFirst();
  return row?.pool_id ? { claims: await loadClaims(tx, row.pool_id) } : {};
}

/** Returns the keys (`run replica`) of these gangs that still wait for places that others have to leave. */
export async function waitingAskers(
  tx: Tx,
  evictions: readonly EvictionRecord[],
): Promise<ReadonlySet<string>> {
  const rows = await forIds(
    evictions.map(({ runId }) => runId),
    (slice) =>
      tx
        .selectFrom('jobs')
        .select(['run_id', 'replica_num'])
        .where('run_id', 'in', slice)
        .where('instance_id', 'is', null)
        .where('status', '=', 'submitted')
        .where('stop_requested_at', 'is', null)
        .where('reclaim', 'is not', null)
        .execute(),
  );
  return new Set(rows.map((row) => `${row.run_id} ${row.replica_num}`));
}
