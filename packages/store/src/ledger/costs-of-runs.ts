/** The costs of runs up to now. */
import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import { amountsWithin, type Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds } from '../base/query.ts';
import type { Db, StoreContext, Tx } from '../context/context.ts';
import { openIntervalsOfRuns } from './open-intervals.ts';

export interface PaidRuns {
  /** Those that may have had a machine. */
  readonly runs: readonly Id[];
  /** Those that have one now. */
  readonly open: readonly Id[];
  /** Arrays, which cost what their members do. */
  readonly arrays: readonly Id[];
}

/** Micro-dollars; of time without a known price, nothing. Runs that have cost nothing are absent. */
export async function costsOfRuns(
  context: Pick<StoreContext, 'db' | 'postgres' | 'read' | 'now'>,
  { runs, open, arrays }: PaidRuns,
): Promise<ReadonlyMap<Id, number>> {
  const costs = new Map<Id, number>();
  const add = (id: Id, cost: number) => costs.set(id, (costs.get(id) ?? 0) + cost);
  const read = async (db: Db | Tx) => {
    for (const row of await enteredOf(db, runs)) add(row.run_id, Number(row.cost));
    for (const row of await enteredOfMembers(db, arrays)) add(row.array_id ?? '', Number(row.cost));
    const members = await openMembers(db, arrays);
    const arrayOf = new Map(members.map((member) => [member.id, member.array_id ?? '']));
    for (const interval of await openIntervalsOfRuns(
      db,
      [...open, ...arrayOf.keys()],
      context.now(),
    )) {
      const id = interval.run?.id ?? '';
      add(arrayOf.get(id) ?? id, amountsWithin(interval, interval.since, interval.until).cost);
    }
  };
  // At one moment only where something may end between two queries.
  if (open.length === 0 && arrays.length === 0) await read(context.db);
  else await context.read(read);
  return costs;
}

const COST = sql<number>`sum(cost)`;

function enteredOf(db: Db | Tx, runIds: readonly Id[]) {
  return forIds(runIds, (slice) =>
    db
      .selectFrom('ledger_parts')
      .select(['run_id', COST.as('cost')])
      .where('run_id', 'in', slice)
      // Spelled like the condition of the index.
      .where(sql<boolean>`run_id <> ''`)
      .groupBy('run_id')
      .execute(),
  );
}

function enteredOfMembers(db: Db | Tx, arrayIds: readonly Id[]) {
  return forIds(arrayIds, (slice) =>
    db
      .selectFrom('runs as r')
      .innerJoin('ledger_parts as l', 'l.run_id', 'r.id')
      .select(['r.array_id', COST.as('cost')])
      .where('r.array_id', 'in', slice)
      .where(sql<boolean>`l.run_id <> ''`)
      .groupBy('r.array_id')
      .execute(),
  );
}

function openMembers(db: Db | Tx, arrayIds: readonly Id[]) {
  return forIds(arrayIds, (slice) =>
    db
      .selectFrom('runs')
      .select(['id', 'array_id'])
      .where('array_id', 'in', slice)
      .where('status', 'in', UNFINISHED_RUN_STATUSES)
      .execute(),
  );
}
