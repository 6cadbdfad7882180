/** Reads what the projects of a pool have used. */
import {
  type Id,
  isShared,
  type PoolShares,
  type QuotaState,
  type ShareState,
  usageAfter,
} from '@dstack/core';
import { forIds, notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { secondsSince } from './settle-shares.ts';
import { shareTime } from './share-time.ts';

/** The parts of the store on which the reading of shares depends. */
export type ShareContext = Pick<
  StoreContext,
  'postgres' | 'monotonic' | 'now' | 'shareHalfLife' | 'gpuPrices'
>;

/**
 * The usage of `projectIds`, which are of one pool. `quotas`: of all projects of the pool. Nothing is read of a pool that
 * is not shared by weight.
 */
export async function sharesBeside(
  tx: Tx,
  context: ShareContext,
  projectIds: readonly Id[],
  quotas: readonly QuotaState[] = [],
): Promise<{ readonly shares?: PoolShares }> {
  const [first] = projectIds;
  if (first === undefined || quotas.every(({ quota }) => quota.weight === null)) return {};
  const poolId = await poolOf(tx, first);
  if (poolId === null) return {};
  const all = quotas.map(({ quota }) => quota);
  if (!isShared(all, await isOfOneProject(tx, poolId))) return {};
  const states = await shareStates(tx, context, projectIds);
  return { shares: { states, gpuPrices: await context.gpuPrices.of(tx, context, poolId) } };
}

/** Reads the shares of these projects, by project and user. */
export async function shareStates(
  tx: Tx,
  context: Pick<ShareContext, 'postgres' | 'now' | 'shareHalfLife'>,
  projectIds: readonly Id[],
): Promise<ShareState[]> {
  const now = await shareTime(tx, { postgres: context.postgres, now: context.now() });
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('shares')
      .selectAll()
      .select(now.as('now'))
      .where('project_id', 'in', slice)
      .orderBy('project_id')
      .orderBy('user_id')
      .execute(),
  );
  return rows.map((row) => {
    const rate = Number(row.rate);
    const before = { usage: Number(row.used), rate };
    const usage = usageAfter(before, secondsSince(row), context.shareHalfLife);
    return { projectId: row.project_id, userId: row.user_id, usage, rate };
  });
}

export async function poolOf(tx: Tx, projectId: Id): Promise<Id | null> {
  const row = await tx
    .selectFrom('projects')
    .select('pool_id')
    .where('id', '=', projectId)
    .executeTakeFirst();
  return row?.pool_id ?? null;
}

export async function isOfOneProject(tx: Tx, poolId: Id): Promise<boolean> {
  const projects = await tx
    .selectFrom('projects')
    .select('id')
    .where('pool_id', '=', poolId)
    .where(notDeleted('deleted'))
    .limit(2)
    .execute();
  return projects.length === 1;
}
