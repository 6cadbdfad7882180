/** Runs that are in no queue: held by a person, or dependent on others. */
import { WAITING_RUN_STATUSES } from '@dstack/contract/status';
import type { HoldRecord, Id, Timestamp } from '@dstack/core';
import { type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { forIds, notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';
import type { DB } from '../schema/db.ts';
import { runTable } from '../schema/work-tables.ts';

export interface KeptBackView {
  readonly id: Id;
  readonly name: string;
  readonly userName: string;
  readonly priority: number;
  readonly submittedAt: Timestamp;
  /** Null = it is not held. */
  readonly hold: HoldRecord | null;
  /** Names of runs that it depends on and that have not ended, in the order of its configuration. */
  readonly waitsFor: readonly string[];
  /** It depends on a run that has ended in another way. */
  readonly isUnmet: boolean;
}

/** The oldest ones of a project, and the number of all. Runs that wait for a time are not among them. */
export async function keptBack(
  db: Db,
  projectId: Id,
  limit: number,
): Promise<{ readonly runs: readonly KeptBackView[]; readonly total: number }> {
  const all = db
    .selectFrom('runs as r')
    .where('r.project_id', '=', projectId)
    .where('r.status', 'in', WAITING_RUN_STATUSES)
    .where(notDeleted('r.deleted'))
    // Those of a held array are represented by it.
    .where(
      sql<SqlBool>`not exists (select 1 from runs a where a.id = r.array_id and a.hold is not null)`,
    )
    .where(isKeptBack);
  const counted = await all.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirst();
  const rows = await all
    .innerJoin('users as u', 'u.id', 'r.user_id')
    .selectAll('r')
    .select('u.name as user_name')
    .orderBy('r.submitted_at')
    .orderBy('r.id')
    .limit(limit)
    .execute();
  const open = await openDependencies(
    db,
    rows.filter((row) => row.dependency_state === 'open').map(({ id }) => id),
  );
  const runs = rows.map((row): KeptBackView => {
    const { id, name, priority, submittedAt, hold, dependencyState } = runTable.decode(row);
    const waitsFor = open.get(id) ?? [];
    const isUnmet = dependencyState === 'unmet';
    const named = { id, name, userName: row.user_name };
    return { ...named, priority, submittedAt, hold, waitsFor, isUnmet };
  });
  return { runs, total: Number(counted?.count ?? 0) };
}

/** Only pending runs wait for others: the state stays after they were released. */
const isKeptBack = (eb: ExpressionBuilder<DB & { r: DB['runs'] }, 'r'>) =>
  eb.or([
    eb('r.hold', 'is not', null),
    eb.and([
      eb('r.status', '=', sql.lit('pending')),
      eb('r.dependency_state', 'in', ['open', 'unmet']),
    ]),
  ]);

async function openDependencies(
  db: Db,
  runIds: readonly Id[],
): Promise<ReadonlyMap<Id, readonly string[]>> {
  const rows = await forIds(runIds, (slice) =>
    db
      .selectFrom('run_dependencies')
      .select(['run_id', 'name'])
      .where('run_id', 'in', slice)
      .where('outcome', 'is', null)
      .orderBy('run_id')
      .orderBy('position')
      .execute(),
  );
  const names = new Map<Id, string[]>();
  for (const { run_id: id, name } of rows) names.set(id, [...(names.get(id) ?? []), name]);
  return names;
}
