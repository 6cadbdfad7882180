/** Quotas of waiting runs. */
import { ALL_USERS, EVERY_USER, type Id, type QuotaRecord } from '@dstack/core';
import { sql } from 'kysely';
import { waitingByUser } from '../arrays/waiting-room.ts';
import { quotasOf } from '../claims/charges.ts';
import type { Tx } from '../context/context.ts';

/** See `QuotaView.waiting`. */
export async function waitingRuns(tx: Tx, quota: QuotaRecord): Promise<Record<string, number>> {
  if (quota.limits?.runs == null) return {};
  const isOfOne = quota.userId !== null && quota.userId !== EVERY_USER;
  const counts = await waitingByUser(
    tx,
    isOfOne
      ? sql`r.project_id = ${quota.projectId} and r.user_id = ${quota.userId}`
      : sql`r.project_id = ${quota.projectId}`,
  );
  if (quota.userId === EVERY_USER) return Object.fromEntries(counts);
  return { [ALL_USERS]: [...counts.values()].reduce((sum, waiting) => sum + waiting, 0) };
}

export interface FullQuota {
  readonly of: 'project' | 'user';
  readonly waiting: number;
  readonly most: number;
}

/**
 * The first quota that lets no more runs of the project, or of the user in it, wait; null = all do. The caller holds
 * the lock of the names of runs of the project, under which all of them are submitted. `adding`: how many are
 * submitted now; an array is refused as a whole.
 */
export async function fullQuota(
  tx: Tx,
  projectId: Id,
  userId: Id,
  adding: number,
): Promise<FullQuota | null> {
  for (const quota of await quotasOf(tx, [projectId])) {
    const most = quota.limits?.runs ?? null;
    const isOthers = quota.userId !== null && ![EVERY_USER, userId].includes(quota.userId);
    if (most === null || isOthers) continue;
    const user = quota.userId === EVERY_USER ? userId : ALL_USERS;
    const waiting = (await waitingRuns(tx, quota))[user] ?? 0;
    if (waiting + adding > most)
      return { of: quota.userId === null ? 'project' : 'user', waiting, most };
  }
  return null;
}
