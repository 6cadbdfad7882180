/** Reads the queue of a pool in its order, for people. */
import { type CapacitySnapshot, type Id, inFairOrder, ShareLedger } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import { claimsBeside, hasAsked } from '../claims/load-claims.ts';
import type { Tx } from '../context/context.ts';
import {
  gangsOf,
  HAS_WAITING_JOBS,
  type Head,
  reservationHolders,
  UNPLACED,
} from '../queue/load-queue.ts';
import { queueOrder, rankOfRow } from '../queue/queue-order.ts';
import { sharesBeside } from '../shares/pool-shares.ts';
import { type HeadRow, rankedHeads } from '../shares/shares-view.ts';
import { loadGuesses } from './load-guesses.ts';
import {
  type Cached,
  loadOccupants,
  loadRights,
  loadUsable,
  volumesOfGangs,
} from './load-placement.ts';
import type { PoolQueue } from './types.ts';

/** See `EngineStore.loadPoolQueue`. */
export async function loadPoolQueue(
  tx: Tx,
  context: Cached,
  projectId: Id,
  limit: number,
  withClaims = false,
): Promise<PoolQueue> {
  const waiting = await tx
    .selectFrom('projects')
    .select('id')
    .where('pool_id', '=', (eb) =>
      eb.selectFrom('projects').select('pool_id').where('id', '=', projectId),
    )
    .where(HAS_WAITING_JOBS)
    .orderBy('id')
    .execute();
  const projectIds = waiting.map(({ id }) => id);
  const rights = await loadRights(tx, [...new Set([projectId, ...projectIds])]);
  const machines = await loadUsable(tx, context, rights);
  const shared = await sharesBeside(tx, context, [...rights.keys()], machines.quotas);
  const known = { ...machines, ...shared };
  const { heads, total } = await firstHeads(tx, projectIds, limit, known);
  const holders = await reservationHolders(tx, projectIds);
  const entitled = await entitledHeads(tx, projectIds, limit, known);
  const all = new Map([...heads, ...entitled, ...holders].map((head) => [keyOf(head), head]));
  const gangs = await gangsOf(tx, context.records, [...all.values()]);
  const users = await forIds(
    gangs.map(({ run }) => run.userId),
    (slice) => tx.selectFrom('users').select(['id', 'name']).where('id', 'in', slice).execute(),
  );
  return {
    ...{ pool: null, gangs, more: new Set<string>(), rights, ...machines },
    ...shared,
    volumes: await volumesOfGangs(tx, gangs),
    occupants: await loadOccupants(tx, machines.fleets),
    guesses: await loadGuesses(tx, machines.fleets),
    ...(await claimsBeside(tx, projectId, machines, withClaims || gangs.some(hasAsked))),
    total,
    userNames: Object.fromEntries(users.map(({ id, name }) => [id, name])),
  };
}

const keyOf = ({ run_id, replica_num }: Head): string => `${run_id} ${replica_num}`;

/** Gangs of projects with guarantees may come before all others, wherever they are by their rank. */
async function entitledHeads(
  tx: Tx,
  projectIds: readonly Id[],
  limit: number,
  known: Pick<CapacitySnapshot, 'shares' | 'quotas'>,
): Promise<Head[]> {
  const { quotas = [] } = known;
  const guaranteed = new Set(
    quotas.flatMap(({ quota }) => (quota.guaranteed === null ? [] : [quota.projectId])),
  );
  const heads: Head[] = [];
  for (const id of projectIds) {
    if (guaranteed.has(id)) heads.push(...(await firstHeads(tx, [id], limit, known)).heads);
  }
  return heads;
}

/** A person asks for this, so all waiting jobs of the pool may be read. */
async function firstHeads(
  tx: Tx,
  projectIds: readonly Id[],
  limit: number,
  { shares, quotas = [] }: Pick<CapacitySnapshot, 'shares' | 'quotas'>,
) {
  if (projectIds.length === 0) return { heads: [], total: 0 };
  const ids = sql.join(projectIds);
  const waits = sql`project_id in (${ids}) and ${UNPLACED} and job_num = 0`;
  const counted = await sql<{ total: number }>`select count(*) as total from jobs
    where ${waits}`.execute(tx);
  const total = Number(counted.rows[0]?.total ?? 0);
  if (shares) {
    const ledger = new ShareLedger(shares, quotas);
    return { heads: inTurns(await rankedHeads(tx, waits, limit), ledger).slice(0, limit), total };
  }
  const { rows } = await sql<Head>`select run_id, replica_num from jobs where ${waits}
    order by ${queueOrder()} limit ${sql.lit(limit)}`.execute(tx);
  return { heads: rows, total };
}

/** Orders the gangs as if each of them needed one GPU: their true needs are not read. */
export function inTurns(heads: readonly HeadRow[], ledger: ShareLedger): HeadRow[] {
  const turns: HeadRow[] = [];
  const rank = (head: HeadRow) => ({
    ...rankOfRow(head),
    projectId: head.project_id,
    userId: head.user_id,
  });
  for (const head of inFairOrder(heads, rank, ledger)) {
    turns.push(head);
    ledger.claim({ projectId: head.project_id, userId: head.user_id }, 1_000_000);
  }
  return turns;
}
