/** Keeps what users use now, and have used, in the transaction that changes their claims. */
import { type ChargeRecord, type Id, usageAfter } from '@dstack/core';
import { sql } from 'kysely';
import type { Tx } from '../context/context.ts';
import { type ShareClock, storeShareTime } from './share-time.ts';

interface ChangedClaim {
  readonly projectId: Id;
  readonly before: ChargeRecord | null;
  readonly after: ChargeRecord | null;
}

/** Claims from before the pool was shared, and in pools that are not, count nothing. */
export async function settleShares(
  tx: Tx,
  claims: readonly ChangedClaim[],
  clock: ShareClock,
): Promise<void> {
  const deltas = new Map<string, { readonly holder: Holder; rate: number }>();
  const add = (projectId: Id, charge: ChargeRecord | null, sign: 1 | -1) => {
    if (!charge?.share) return;
    const { userId } = charge;
    const key = `${projectId} ${userId}`;
    const known = deltas.get(key) ?? { holder: { projectId, userId }, rate: 0 };
    known.rate += sign * charge.share.rate;
    deltas.set(key, known);
  };
  for (const { projectId, before, after } of claims) {
    add(projectId, before, -1);
    add(projectId, after, 1);
  }
  // In one order, so that two transactions do not wait for each other in a circle.
  const changed = [...deltas].filter(([, { rate }]) => rate !== 0).sort(byKey);
  for (const [, { holder, rate }] of changed) {
    await settleShare(tx, holder, clock, (present) => present + rate);
  }
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1;

export interface Holder {
  readonly projectId: Id;
  readonly userId: Id;
}

/**
 * Counts usage up to this moment, and sets the rate from now on. The row is locked before the moment is read, so that
 * moments of one row are in the order of the transactions.
 */
export async function settleShare(
  tx: Tx,
  { projectId, userId }: Holder,
  clock: ShareClock,
  rateAfter: (rate: number) => number,
): Promise<void> {
  const now = await storeShareTime(tx, clock);
  const row = await tx
    .insertInto('shares')
    .values({ project_id: projectId, user_id: userId, used: 0, rate: 0, settled_at: now })
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'user_id']).doUpdateSet({ rate: sql<number>`shares.rate` }),
    )
    .returning(['used', 'rate', 'settled_at', now.as('now')])
    .executeTakeFirstOrThrow();
  const rate = Number(row.rate);
  await tx
    .updateTable('shares')
    .set({
      used: usageAfter({ usage: Number(row.used), rate }, secondsSince(row), clock.shareHalfLife),
      // An older server may have released claims without counting.
      rate: Math.max(0, rateAfter(rate)),
      settled_at: Number(row.now),
    })
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .execute();
}

export const secondsSince = (row: { readonly now: number; readonly settled_at: number }): number =>
  (Number(row.now) - Number(row.settled_at)) / 1_000_000;
