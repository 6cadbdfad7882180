/** The rows of arrays beside their runs. */

import { RUN_STATUSES, UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type {
  ArrayDirective,
  ArrayRecord,
  ArraySnapshot,
  Change,
  Id,
  MemberCounts,
  RunRecord,
} from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';
import { runTable } from '../schema/work-tables.ts';

/** The record of an array at its submission. */
export type NewArray = Pick<ArrayRecord, 'total' | 'maxParallel' | 'maxFailures' | 'directive'>;

export async function insertArray(tx: Tx, { id }: RunRecord, array: NewArray): Promise<void> {
  const counts = { pending: 0, submitted: 0, provisioning: 0, running: 0 };
  const ends = { terminating: 0, terminated: 0, failed: 0, done: 0 };
  await tx
    .insertInto('run_arrays')
    .values({
      run_id: id,
      is_open: 1,
      total: array.total,
      max_parallel: array.maxParallel,
      max_failures: array.maxFailures,
      next_position: 0,
      generation: 0,
      directive: JSON.stringify(array.directive),
      early: '[]',
      ...counts,
      ...ends,
    })
    .execute();
}

export async function arraysByIds(db: Db | Tx, ids: readonly Id[]): Promise<Map<Id, ArrayRecord>> {
  const rows = await forIds(ids, (slice) =>
    db.selectFrom('run_arrays').selectAll().where('run_id', 'in', slice).execute(),
  );
  return new Map(rows.map((row) => [row.run_id, decode(row)]));
}

type ArrayRow = Readonly<Record<keyof MemberCounts, number>> & {
  readonly run_id: Id;
  readonly total: number;
  readonly max_parallel: number;
  readonly max_failures: number;
  readonly next_position: number;
  readonly generation: number;
  readonly directive: unknown;
  readonly early: unknown;
};

function decode(row: ArrayRow): ArrayRecord {
  return {
    id: row.run_id,
    total: row.total,
    maxParallel: row.max_parallel,
    maxFailures: row.max_failures,
    nextPosition: row.next_position,
    generation: row.generation,
    directive: directiveFrom(row.directive),
    early: JSON.parse(row.early as string) as number[],
    members: Object.fromEntries(RUN_STATUSES.map((one) => [one, row[one]])) as MemberCounts,
  };
}

const directiveFrom = (stored: unknown) => JSON.parse(stored as string) as ArrayDirective;

/** The most members that the pass of an array signals again. */
const MOST_BEHIND = 500;

/** Null: the run is not that of an array. */
export async function loadArray(tx: Tx, id: Id): Promise<ArraySnapshot | null> {
  const array = (await arraysByIds(tx, [id])).get(id);
  if (array === undefined) return null;
  const behind = array.generation === 0 ? [] : await membersBehind(tx, array);
  return { ...array, behind };
}

async function membersBehind(tx: Tx, { id, generation }: ArrayRecord): Promise<Id[]> {
  const rows = await tx
    .selectFrom('runs')
    .select('id')
    .where('array_id', '=', id)
    .where('status', 'in', UNFINISHED_RUN_STATUSES)
    .where('array_seen', '<', generation)
    .limit(MOST_BEHIND)
    .execute();
  return rows.map((row) => row.id);
}

/** Returns the directive of the member's array that the member has not obeyed; null = there is none. */
export async function openDirective(
  tx: Tx,
  { arrayId, arraySeen }: RunRecord,
): Promise<{ generation: number; wanted: ArrayDirective } | null> {
  if (arrayId === null) return null;
  const row = await tx
    .selectFrom('run_arrays')
    .select(['generation', 'directive'])
    .where('run_id', '=', arrayId)
    .where('generation', '>', arraySeen ?? 0)
    .executeTakeFirst();
  if (row === undefined) return null;
  return { generation: row.generation, wanted: directiveFrom(row.directive) };
}

export async function updateArray(
  tx: Tx,
  { id, set }: Extract<Change, { type: 'array.update' }>,
): Promise<void> {
  await tx
    .updateTable('run_arrays')
    .set({
      ...(set.nextPosition !== undefined && { next_position: set.nextPosition }),
      ...(set.generation !== undefined && { generation: set.generation }),
      ...(set.isOpen === false && { is_open: 0 }),
      ...(set.early !== undefined && { early: JSON.stringify(set.early) }),
      ...(set.directive !== undefined && { directive: JSON.stringify(set.directive) }),
    })
    .where('run_id', '=', id)
    .execute();
}

/** An array and its run; null if there is no such array. */
export async function loadArrayRun(tx: Tx, id: Id): Promise<ArrayRun | null> {
  const row = await tx.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
  const array = (await arraysByIds(tx, [id])).get(id);
  if (row === undefined || array === undefined) return null;
  return { run: runTable.decode(row), array };
}

export interface ArrayRun {
  readonly run: RunRecord;
  readonly array: ArrayRecord;
}
