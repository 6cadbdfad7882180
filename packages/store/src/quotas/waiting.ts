/** Quotas of waiting runs. */
import { WAITING_RUN_STATUSES } from '@dstack/contract/status';
import { ALL_USERS, EVERY_USER, type Id, type QuotaRecord } from '@dstack/core';
import type { Tx } from '../context.ts';
import { quotasOf } from './charges.ts';

/** See `QuotaView.waiting`. */
export async function waitingRuns(tx: Tx, quota: QuotaRecord): Promise<Record<string, number>> {
  if (quota.limits?.runs == null) return {};
  const rows = await tx
    .selectFrom('runs')
    .select(['user_id'])
    .select((eb) => eb.fn.countAll<number>().as('waiting'))
    .where('project_id', '=', quota.projectId)
    .where('status', 'in', WAITING_RUN_STATUSES)
    .$if(quota.userId !== null && quota.userId !== EVERY_USER, (query) =>
      query.where('user_id', '=', quota.userId ?? ''),
    )
    .groupBy('user_id')
    .execute();
  if (quota.userId === EVERY_USER) {
    return Object.fromEntries(rows.map((row) => [row.user_id, Number(row.waiting)]));
  }
  return { [ALL_USERS]: rows.reduce((sum, row) => sum + Number(row.waiting), 0) };
}

export interface FullQuota {
  readonly of: 'project' | 'user';
  readonly waiting: number;
  readonly most: number;
}

/**
 * The first quota that lets no more runs of the project, or of the user in it, wait; null = all do. The caller holds
 * the lock of the names of runs of the project, under which all of them are submitted.
 */
export async function fullQuota(tx: Tx, projectId: Id, userId: Id): Promise<FullQuota | null> {
  for (const quota of await quotasOf(tx, [projectId])) {
    const most = quota.limits?.runs ?? null;
    const isOthers = quota.userId !== null && ![EVERY_USER, userId].includes(quota.userId);
    if (most === null || isOthers) continue;
    const user = quota.userId === EVERY_USER ? userId : ALL_USERS;
    const waiting = (await waitingRuns(tx, quota))[user] ?? 0;
    if (waiting >= most) return { of: quota.userId === null ? 'project' : 'user', waiting, most };
  }
  return null;
}
