import { setImmediate } from 'node:timers/promises';
import { UNFINISHED_RUN_STATUSES } from '@dstack/contract/status';
import type { Change, Id, RunRecord, RunSnapshot } from '@dstack/core';
import type { StoreContext, Tx } from '../context.ts';
import { StoreError } from '../errors.ts';
import { notDeleted } from '../query.ts';
import { runTable } from '../schema/work-tables.ts';
import { applyChanges } from './apply.ts';
import type { Decide, Engine } from './types.ts';

/** Each try loses only against a pass that has just written: more cannot be chance. */
const MAX_TRIES = 50;

interface DecidedRow {
  readonly table: 'runs' | 'instances' | 'fleets' | 'volumes' | 'gateways';
  readonly id: Id;
}

const AGAIN = Symbol('a version was stale');

/**
 * A write of the API: the row is locked, read and written in one transaction, and all of it again
 * if a row beside it changed meanwhile. The decision may therefore be asked several times.
 */
export async function decidedWrite<S>(
  context: StoreContext,
  row: DecidedRow,
  load: (tx: Tx, id: Id) => Promise<S | null>,
  decide: Decide<S>,
): Promise<S | null> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await context.write(async ({ tx, add, abort }): Promise<S | null | symbol> => {
      await lockRow(context, tx, row);
      const snapshot = await load(tx, row.id);
      const decision = snapshot === null ? null : decide(snapshot);
      if (decision === null) return snapshot;
      const on = { now: context.now(), postgres: context.postgres };
      if (!(await applyChanges(tx, decision.changes, on))) abort(AGAIN);
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

export async function requestStop(
  context: StoreContext,
  stop: Parameters<Engine['requestStop']>[0],
): Promise<Id[]> {
  if (stop.names.length === 0) return [];
  const rows = await context.db
    .selectFrom('runs')
    .select('id')
    .where('project_id', '=', stop.projectId)
    .where('name', 'in', [...stop.names])
    .where(notDeleted('deleted'))
    .where('status', 'in', UNFINISHED_RUN_STATUSES)
    .execute();
  const stopped: Id[] = [];
  for (const { id } of rows) {
    // Each is a transaction, for which SQLite keeps the thread: others get their turn between two.
    await setImmediate();
    const snapshot = await decidedWrite(context, { table: 'runs', id }, loadBareRun, ({ run }) =>
      stopDecision(run, stop, context.now()),
    );
    if (snapshot) stopped.push(id);
  }
  return stopped;
}

/** A stop is decided on the run alone. */
async function loadBareRun(tx: Tx, id: Id): Promise<Pick<RunSnapshot, 'run'> | null> {
  const row = await tx.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
  return row ? { run: runTable.decode(row) } : null;
}

function stopDecision(
  run: RunRecord,
  stop: { readonly abort: boolean; readonly actorUserId: Id | null },
  now: number,
): ReturnType<Decide<unknown>> {
  if (!UNFINISHED_RUN_STATUSES.includes(run.status)) return null;
  const reason = stop.abort ? 'aborted_by_user' : 'stopped_by_user';
  const again = run.status === 'terminating';
  if (again && (run.terminationReason === reason || !mayReplace(run, stop.abort))) return null;
  const changes: Change[] = [
    {
      type: 'run.update',
      id: run.id,
      version: run.version,
      set: { status: 'terminating', terminationReason: reason, nextPassAt: now },
    },
  ];
  if (!again) {
    const target = { type: 'run', id: run.id, name: run.name, projectId: run.projectId } as const;
    const message = `Run status changed ${run.status.toUpperCase()} -> TERMINATING. Termination reason: ${reason.toUpperCase()}`;
    changes.push({
      type: 'event',
      event: { message, actorUserId: stop.actorUserId, targets: [{ ...target, parentId: null }] },
    });
  }
  return { changes, signals: [{ kind: 'run', id: run.id }] };
}

/** A stop overwrites any reason but an abort; an abort overwrites every reason. */
function mayReplace(run: RunRecord, abort: boolean): boolean {
  return abort || run.terminationReason !== 'aborted_by_user';
}
