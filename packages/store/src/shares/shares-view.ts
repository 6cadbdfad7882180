/** The usage of the projects of a pool, with names for people. */
import { type FairRank, type Id, isShared, type QuotaState, type ShareState } from '@dstack/core';
import { type RawBuilder, sql } from 'kysely';
import { forIds, notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { HAS_WAITING_JOBS, UNPLACED } from '../queue/load-queue.ts';
import { queueOrder, rankOfRow } from '../queue/queue-order.ts';
import { poolOf, shareStates } from './pool-shares.ts';

/** The first gang of a user in the queue of a project. */
export interface WaitingHead extends FairRank {
  /** The name of the run that it belongs to. */
  readonly name: string;
}

export interface SharesView {
  readonly states: readonly ShareState[];
  readonly quotas: readonly QuotaState[];
  /** Names of all projects of the pool, by id. */
  readonly projects: ReadonlyMap<Id, string>;
  readonly userNames: Readonly<Record<Id, string>>;
  readonly heads: readonly WaitingHead[];
}

/** Null: the pool of the project, which has these quotas, is not shared by weight. */
export async function sharesView(
  tx: Tx,
  context: Pick<StoreContext, 'postgres' | 'now' | 'shareHalfLife'>,
  projectId: Id,
  quotas: readonly QuotaState[],
): Promise<SharesView | null> {
  if (quotas.every(({ quota }) => quota.weight === null)) return null;
  const projects = await projectsOf(tx, await poolOf(tx, projectId));
  const all = quotas.map(({ quota }) => quota);
  if (!isShared(all, projects.size === 1)) return null;
  const states = await shareStates(tx, context, [...projects.keys()]);
  const heads = await headsOf(tx, [...projects.keys()]);
  const weighed = all.flatMap(({ weight, userId }) => (weight === null ? [] : (userId ?? [])));
  const users = [...states, ...heads].map(({ userId }) => userId);
  const userNames = await namesOf(tx, [...users, ...weighed]);
  return { states, quotas, projects, userNames, heads };
}

async function projectsOf(tx: Tx, poolId: Id | null): Promise<ReadonlyMap<Id, string>> {
  const rows = await tx
    .selectFrom('projects')
    .select(['id', 'name'])
    .where('pool_id', '=', poolId)
    .where(notDeleted('deleted'))
    .orderBy('name')
    .execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export interface HeadRow {
  readonly run_id: Id;
  readonly replica_num: number;
  readonly project_id: Id;
  readonly user_id: Id;
  readonly priority: number;
  readonly queued_at: number;
  readonly name: string;
}

/** A person asks for this, so all waiting jobs of the pool may be read. */
async function headsOf(tx: Tx, projectIds: readonly Id[]): Promise<WaitingHead[]> {
  const waiting = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('projects')
      .select('id')
      .where('id', 'in', slice)
      .where(HAS_WAITING_JOBS)
      .execute(),
  );
  if (waiting.length === 0) return [];
  const ids = sql.join(waiting.map(({ id }) => id));
  const rows = await rankedHeads(
    tx,
    sql`project_id in (${ids}) and ${UNPLACED} and job_num = 0`,
    1,
  );
  return rows.map((row) => ({
    ...rankOfRow(row),
    ...{ projectId: row.project_id, userId: row.user_id, name: row.name },
  }));
}

/** The first gangs of each user in each project, `most` at most: their order among each other depends on ratios. */
export async function rankedHeads(
  tx: Tx,
  waits: RawBuilder<unknown>,
  most: number,
): Promise<HeadRow[]> {
  const { rows } = await sql<HeadRow>`
    select j.run_id, j.replica_num, j.project_id, r.user_id, j.priority, j.queued_at, r.name from (
      select run_id, replica_num, project_id, priority, queued_at,
        row_number() over (partition by project_id, user_id order by ${queueOrder()}) as place
      from jobs where ${waits}
    ) j join runs r on r.id = j.run_id where j.place <= ${sql.lit(most)}`.execute(tx);
  return rows;
}

async function namesOf(tx: Tx, ids: readonly Id[]): Promise<Record<Id, string>> {
  const rows = await forIds([...new Set(ids)], (slice) =>
    tx.selectFrom('users').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return Object.fromEntries(rows.map(({ id, name }) => [id, name]));
}
