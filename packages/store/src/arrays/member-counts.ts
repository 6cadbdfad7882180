/** The numbers of an array's members by status, kept in the transaction that changes a member. */
import { hasRunInstances, isRunFinished } from '@dstack/contract/status';
import type { Id, RunRecord, RunStatus } from '@dstack/core';
import { type SqlBool, sql } from 'kysely';
import { insertInSlices } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext, Tx, Write } from '../context/context.ts';
import { runTable } from '../schema/work-tables.ts';

/** A change of one member. */
interface Move {
  readonly from: RunStatus | null;
  readonly to: RunStatus;
}

/** By array. Written at the end of a transaction, so that members are locked before their arrays everywhere. */
export class MemberMoves {
  readonly #moves = new Map<Id, Move[]>();

  add(arrayId: Id, move: Move): void {
    this.#moves.set(arrayId, [...(this.#moves.get(arrayId) ?? []), move]);
  }

  /** The array's run gets a pass if others may be born, or if members run for the first time. */
  async write({ tx, add, changed }: Pick<Write, 'tx' | 'add' | 'changed'>): Promise<void> {
    for (const [id, moves] of [...this.#moves].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const isFirst = await count(tx, id, moves);
      if (isFirst || moves.some(makesRoom)) {
        add({ signals: [{ kind: 'run', id }] });
      }
      changed(recordChange('run', id));
    }
  }
}

/** One has ended, or has left the queue. */
const makesRoom = ({ from, to }: Move): boolean =>
  isRunFinished(to) || (from !== null && !hasRunInstances(from) && hasRunInstances(to));

/** Returns whether the first members are provisioned or run now. */
async function count(tx: Tx, id: Id, moves: readonly Move[]): Promise<boolean> {
  const deltas = new Map<RunStatus, number>();
  for (const { from, to } of moves) {
    if (from !== null) deltas.set(from, (deltas.get(from) ?? 0) - 1);
    deltas.set(to, (deltas.get(to) ?? 0) + 1);
  }
  const sets = [...deltas].map(([status, delta]) => {
    const column = sql.ref(status);
    return sql`${column} = ${column} + ${sql.lit(delta)}`;
  });
  const { rows } = await sql<{ provisioning: number; running: number }>`
    update run_arrays set ${sql.join(sets)} where run_id = ${id}
      returning provisioning, running`.execute(tx);
  const [now] = rows;
  return (['provisioning', 'running'] as const).some((status) => {
    const delta = deltas.get(status) ?? 0;
    return delta > 0 && Number(now?.[status] ?? 0) === delta;
  });
}

/** A status of a run was written: one of a member is counted. */
export async function countMember(
  tx: Tx,
  moves: MemberMoves,
  run: { readonly id: Id; readonly array_id: Id | null; readonly counted_status: RunStatus | null },
  to: RunStatus,
): Promise<void> {
  if (run.array_id === null || run.counted_status === to) return;
  await tx.updateTable('runs').set({ counted_status: to }).where('id', '=', run.id).execute();
  moves.add(run.array_id, { from: run.counted_status, to });
}

/** Members that are born. */
export async function insertMembers(
  { tx, changed }: Pick<Write, 'tx' | 'changed'>,
  runs: readonly RunRecord[],
  moves: MemberMoves,
): Promise<void> {
  const rows = runs.map((run) => ({ ...runTable.insert(run), counted_status: run.status }));
  await insertInSlices(rows, (slice) => tx.insertInto('runs').values(slice).execute());
  for (const { id, version, arrayId, status } of runs) {
    changed(recordChange('run', id, version));
    if (arrayId !== null) moves.add(arrayId, { from: null, to: status });
  }
}

/** Spelled like the index `runs_uncounted`. */
const UNCOUNTED = sql<SqlBool>`array_id is not null and status <> counted_status`;

/** See `EngineStore.countOverlooked`. An index has only the members concerned. */
export async function countOverlooked(context: StoreContext): Promise<void> {
  const rows = await context.db
    .selectFrom('runs')
    .select('id')
    .where(UNCOUNTED)
    // Without the order SQLite reads all members along another index.
    .orderBy('id')
    .execute();
  for (const { id } of rows) {
    await context.write(async (write) => {
      const moves = new MemberMoves();
      const row = await write.tx
        .selectFrom('runs')
        .select(['id', 'array_id', 'counted_status', 'status'])
        .where('id', '=', id)
        .$if(context.postgres, (query) => query.forUpdate())
        .executeTakeFirst();
      if (row === undefined) return;
      await countMember(write.tx, moves, row, row.status);
      await moves.write(write);
    });
  }
}
