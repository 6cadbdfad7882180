import { setImmediate } from 'node:timers/promises';
import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Change, Id } from '@dstack/core';
import { StoreError } from '../base/errors.ts';
import { notDeleted } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { refreshAfter } from '../pools/refresh.ts';
import { runTable } from '../schema/work-tables.ts';
import { applyChanges } from './apply.ts';
import type { BareRun, Decide } from './types.ts';

/**
 * Each try fails only against a pass that has just written, so more failures cannot be a
 * coincidence.
 */
const MAX_TRIES = 50;

interface DecidedRow {
  readonly table: 'runs' | 'instances' | 'fleets' | 'volumes' | 'gateways';
  readonly id: Id;
}

const AGAIN = Symbol('a version was stale');

/**
 * A write of the API: locks the row, reads and writes it in one transaction, and repeats this if a
 * row beside it changed meanwhile. The decision may therefore be computed several times.
 */
export async function decidedWrite<S>(
  context: StoreContext,
  row: DecidedRow,
  load: (tx: Tx, id: Id) => Promise<S | null>,
  decide: Decide<S>,
): Promise<S | null> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await context.write(async (write): Promise<S | null | symbol> => {
      const { tx, add, abort } = write;
      await lockRow(context, tx, row);
      const snapshot = await load(tx, row.id);
      const decision = snapshot === null ? null : decide(snapshot);
      if (decision === null) return snapshot;
      const { postgres, shareHalfLife } = context;
      const on = { now: context.now(), postgres, shareHalfLife };
      if (!(await applyChanges(write, decision.changes, on))) abort(AGAIN);
      await refreshAfter(context, write, decision.changes);
      add({
        events: eventsOf(decision.changes),
        ...(decision.signals && { signals: decision.signals }),
      });
      return snapshot;
    });
    if (outcome !== AGAIN) return outcome as S | null;
  }
  throw new StoreError(
    'store_contended',
    `The row ${row.id} of ${row.table} could not be written in ${MAX_TRIES} tries.`,
    'Try again; if it goes on, look for a loop that writes it all the time.',
  );
}

export function eventsOf(changes: readonly Change[]) {
  return changes.flatMap((change) => (change.type === 'event' ? [change.event] : []));
}

/** On SQLite the transaction has the database to itself. */
async function lockRow(context: StoreContext, tx: Tx, row: DecidedRow): Promise<void> {
  if (!context.postgres) return;
  await tx.selectFrom(row.table).select('id').where('id', '=', row.id).forUpdate().execute();
}

/** See `EngineStore.updateUnfinishedRuns`. */
export async function updateUnfinishedRuns(
  context: StoreContext,
  projectId: Id,
  names: readonly string[],
  decide: Decide<BareRun>,
): Promise<Id[]> {
  if (names.length === 0) return [];
  const rows = await context.db
    .selectFrom('runs')
    .select('id')
    .where('project_id', '=', projectId)
    .where('name', 'in', [...names])
    .where(notDeleted('deleted'))
    .where('status', 'in', UNFINISHED_RUN_STATUSES)
    .execute();
  const found: Id[] = [];
  for (let start = 0; start < rows.length; start += WRITES_AT_ONCE) {
    // During a transaction SQLite keeps the thread: let other work run between them.
    await setImmediate();
    const slice = rows.slice(start, start + WRITES_AT_ONCE).map(async ({ id }) => {
      const isWritten = await decidedWrite(context, { table: 'runs', id }, loadBareRun, decide);
      return isWritten ? [id] : [];
    });
    found.push(...(await Promise.all(slice)).flat());
  }
  return found;
}

/** Transactions that wait for the disk together; of connections to PostgreSQL a part. */
const WRITES_AT_ONCE = 8;

export async function loadBareRun(tx: Tx, id: Id): Promise<BareRun | null> {
  const row = await tx.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
  return row ? { run: runTable.decode(row) } : null;
}
