/** Reads the queue of a pool in its order, for people. */
import type { Id, QuotaState } from '@dstack/core';
import { sql } from 'kysely';
import type { Tx } from '../context.ts';
import { forIds } from '../query.ts';
import { claimsBeside } from '../quotas/load-claims.ts';
import {
  type Cached,
  loadOccupants,
  loadRights,
  loadUsable,
  volumesOfGangs,
} from './load-placement.ts';
import {
  gangsOf,
  HAS_WAITING_JOBS,
  type Head,
  reservationHolders,
  UNPLACED,
} from './load-queue.ts';
import { queueOrder } from './queue-order.ts';
import type { PoolQueue } from './types.ts';

/** See `EngineStore.loadPoolQueue`. */
export async function loadPoolQueue(
  tx: Tx,
  context: Cached,
  projectId: Id,
  limit: number,
): Promise<PoolQueue> {
  const waiting = await tx
    .selectFrom('projects')
    .select(['id', 'pool_id'])
    .where('pool_id', '=', (eb) =>
      eb.selectFrom('projects').select('pool_id').where('id', '=', projectId),
    )
    .where(HAS_WAITING_JOBS)
    .orderBy('id')
    .execute();
  const projectIds = waiting.map(({ id }) => id);
  const rights = await loadRights(tx, [...new Set([projectId, ...projectIds])]);
  const machines = await loadUsable(tx, context, rights);
  const { heads, total } = await headsInOrder(tx, projectIds, limit);
  const holders = await reservationHolders(tx, projectIds);
  const entitled = await entitledHeads(tx, projectIds, machines.quotas ?? [], limit);
  const all = new Map([...heads, ...entitled, ...holders].map((head) => [keyOf(head), head]));
  const gangs = await gangsOf(tx, context.records, [...all.values()]);
  const users = await forIds(
    gangs.map(({ run }) => run.userId),
    (slice) => tx.selectFrom('users').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return {
    ...{ pool: null, gangs, more: new Set<string>(), rights, ...machines },
    volumes: await volumesOfGangs(tx, gangs),
    occupants: await loadOccupants(tx, machines.fleets),
    ...(await claimsBeside(tx, projectId, machines.quotas)),
    total,
    userNames: Object.fromEntries(users.map(({ id, name }) => [id, name])),
  };
}

const keyOf = ({ run_id, replica_num }: Head): string => `${run_id} ${replica_num}`;

/** Gangs of projects with guarantees may come before all others, wherever they are by their rank. */
async function entitledHeads(
  tx: Tx,
  projectIds: readonly Id[],
  quotas: readonly QuotaState[],
  limit: number,
): Promise<Head[]> {
  const guaranteed = new Set(
    quotas.flatMap(({ quota }) => (quota.guaranteed === null ? [] : [quota.projectId])),
  );
  const heads: Head[] = [];
  for (const id of projectIds) {
    if (guaranteed.has(id)) heads.push(...(await headsInOrder(tx, [id], limit)).heads);
  }
  return heads;
}

/** A person asks for this, so all waiting jobs of the pool may be read. */
async function headsInOrder(tx: Tx, projectIds: readonly Id[], limit: number) {
  if (projectIds.length === 0) return { heads: [], total: 0 };
  const ids = sql.join(projectIds);
  const waits = sql`project_id in (${ids}) and ${UNPLACED} and job_num = 0`;
  const counted = await sql<{ total: number }>`select count(*) as total from jobs
    where ${waits}`.execute(tx);
  const { rows } = await sql<Head>`select run_id, replica_num from jobs where ${waits}
    order by ${queueOrder()} limit ${sql.lit(limit)}`.execute(tx);
  return { heads: rows, total: Number(counted.rows[0]?.total ?? 0) };
}
