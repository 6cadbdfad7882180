import { isDeepStrictEqual } from 'node:util';
import type { Change, Id, IntentRecord, RunStatus } from '@dstack/core';
import { sql } from 'kysely';
import { updateArray } from '../arrays/array-rows.ts';
import { countMember, insertMembers, MemberMoves } from '../arrays/member-counts.ts';
import { StoreError } from '../base/errors.ts';
import { insertInSlices } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { RecordChange } from '../changes/types.ts';
import { changedClaims, settleClaims } from '../claims/charges.ts';
import type { Tx, Write } from '../context/context.ts';
import { enterIntervals } from '../ledger/append.ts';
import { requestLogDeletion } from '../retention/log-places.ts';
import { settleDependants } from '../runs/dependencies.ts';
import {
  attachmentTable,
  gatewayTable,
  groupTable,
  replicaTable,
  volumeTable,
} from '../schema/resource-tables.ts';
import {
  fleetTable,
  instanceTable,
  intentTable,
  jobTable,
  runTable,
} from '../schema/work-tables.ts';
import { settleShares } from '../shares/settle-shares.ts';
import type { ShareClock } from '../shares/share-time.ts';
import { changeVolumeUses } from '../volumes/uses.ts';
import { changeOfDelete, changeOfUpdate, changesOfOthers } from './changed-records.ts';
import { checksHold, prioritiesHold } from './checks.ts';
import { mergeUpdates, type RowDelete, type RowUpdate, rowDeletes } from './row-writes.ts';

type Of<T extends Change['type']> = Extract<Change, { type: T }>;

/**
 * Writes everything but the events, which the caller adds to its transaction. Returns false if a
 * version or a check was stale: the transaction must then be rolled back.
 *
 * Removals come first and insertions last, so that a number or name that is freed here can be
 * reused here; references are checked at the commit.
 */
export async function applyChanges(
  { tx, changed, add }: Pick<Write, 'tx' | 'changed' | 'add'>,
  changes: readonly Change[],
  clock: ShareClock,
): Promise<boolean> {
  const { now, postgres } = clock;
  if (!(await checksHold(tx, changes, postgres))) return false;
  const moves = new MemberMoves();
  const claims = await changedClaims(tx, changes, postgres);
  for (const removal of rowDeletes(changes)) {
    if (!(await remove({ tx, changed }, removal, now))) return false;
  }
  for (const update of mergeUpdates(changes)) {
    if (!(await updateRow({ tx, changed, moves }, update))) return false;
  }
  if (!(await prioritiesHold(tx, changes, postgres))) return false;
  if (!(await settleClaims(tx, claims))) return false;
  await settleShares(tx, claims, clock);
  await enterIntervals(tx, changes);
  for (const change of only(changes, 'project.default-gateway')) {
    if (!(await setDefaultGateway(tx, change))) return false;
  }
  const members = only(changes, 'run.insert').map(({ run }) => run);
  await insertMembers({ tx, changed }, members, moves);
  for (const change of only(changes, 'array.update')) await updateArray(tx, change);
  await insertRows(tx, changes);
  await changeVolumeUses(tx, changes);
  for (const { intent } of only(changes, 'intent.insert')) await insertIntent(tx, intent);
  for (const { key } of only(changes, 'intent.cancel')) await cancelIntent(tx, key, now);
  for (const change of only(changes, 'run.outcome'))
    await settleDependants({ tx, add }, change, now);
  await moves.write({ tx, add, changed });
  changed(...changesOfOthers(changes));
  return true;
}

function only<T extends Change['type']>(changes: readonly Change[], type: T): Of<T>[] {
  return changes.filter((change): change is Of<T> => change.type === type);
}

type Changing = Pick<Write, 'tx' | 'changed'>;

async function remove(
  { tx, changed }: Changing,
  removal: RowDelete,
  now: number,
): Promise<boolean> {
  changed(...changeOfDelete(removal), ...(await changedOwner(tx, removal)));
  if (removal.table === 'jobs') await requestLogDeletion(tx, 'id', [removal.id], now);
  await deleteSettledIntents(tx, removal.id);
  const result = await tx
    .deleteFrom(removal.table)
    .where('id', '=', removal.id)
    .where('version', '=', removal.version)
    .executeTakeFirst();
  return result.numDeletedRows === 1n;
}

/** No pass reads them any more. One that is announced is still carried out. */
async function deleteSettledIntents(tx: Tx, subjectId: Id): Promise<void> {
  await tx
    .deleteFrom('intents')
    .where('subject_id', '=', subjectId)
    .where('state', '!=', 'announced')
    .execute();
}

/** Clients that watch a record that is deleted see it in its owner. */
async function changedOwner(tx: Tx, { table, id }: RowDelete): Promise<RecordChange[]> {
  if (table === 'volume_attachments') return await attachedVolume(tx, id);
  if (table !== 'instances') return [];
  const row = await tx
    .selectFrom('instances')
    .select('fleet_id')
    .where('id', '=', id)
    .executeTakeFirst();
  return row ? [recordChange('fleet', row.fleet_id)] : [];
}

async function updateRow(
  { tx, changed, moves }: Changing & { readonly moves: MemberMoves },
  update: RowUpdate,
): Promise<boolean> {
  changed(...changeOfUpdate(update), ...(await changedWhole(tx, update)));
  if (update.table === 'runs' && update.set.status !== undefined) {
    return await moveRun(tx, moves, update, update.set.status);
  }
  // The tables differ in type only: `columnsOf` has encoded the columns of this one.
  const result = await tx
    .updateTable(update.table as 'runs')
    .set({ ...(columnsOf(update) as object), version: update.version + 1 })
    .where('id', '=', update.id)
    .where('version', '=', update.version)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** The status of a run is counted if it is a member of an array. */
async function moveRun(
  tx: Tx,
  moves: MemberMoves,
  { id, version, set }: Extract<RowUpdate, { table: 'runs' }>,
  status: RunStatus,
): Promise<boolean> {
  const row = await tx
    .updateTable('runs')
    .set({ ...runTable.update(set), version: version + 1 })
    .where('id', '=', id)
    .where('version', '=', version)
    .returning(['id', 'array_id', 'counted_status'])
    .executeTakeFirst();
  if (row === undefined) return false;
  await countMember(tx, moves, row, status);
  return true;
}

/** The record that clients see an updated row as a part of. */
async function changedWhole(tx: Tx, { table, id, set }: RowUpdate): Promise<RecordChange[]> {
  if (table === 'instances') return 'terminationMessage' in set ? await jobsWaiting(tx, id) : [];
  if (table === 'volume_attachments') return await attachedVolume(tx, id);
  if (table !== 'gateway_replicas') return [];
  const row = await tx
    .selectFrom('gateway_replicas')
    .select('gateway_id')
    .where('id', '=', id)
    .executeTakeFirst();
  return row ? [recordChange('gateway', row.gateway_id)] : [];
}

/** Jobs show the stage of the instance that they wait for. */
async function jobsWaiting(tx: Tx, instanceId: Id): Promise<RecordChange[]> {
  const rows = await tx
    .selectFrom('jobs')
    .select('id')
    .where('instance_id', '=', instanceId)
    .where('status', 'in', ['submitted', 'provisioning'])
    .execute();
  return rows.map(({ id }) => recordChange('job', id));
}

/** Clients see attachments as a part of their volume. */
async function attachedVolume(tx: Tx, attachmentId: Id): Promise<RecordChange[]> {
  const row = await tx
    .selectFrom('volume_attachments')
    .select('volume_id')
    .where('id', '=', attachmentId)
    .executeTakeFirst();
  return row ? [recordChange('volume', row.volume_id)] : [];
}

async function setDefaultGateway(
  tx: Tx,
  { id, from, to }: Of<'project.default-gateway'>,
): Promise<boolean> {
  const result = await tx
    .updateTable('projects')
    .set({ default_gateway_id: to })
    .where('id', '=', id)
    .where('default_gateway_id', from === null ? 'is' : '=', from)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

function columnsOf(update: RowUpdate) {
  switch (update.table) {
    case 'runs':
      return runTable.update(update.set);
    case 'jobs':
      return jobTable.update(update.set);
    case 'instances':
      return instanceTable.update(update.set);
    case 'fleets':
      return fleetTable.update(update.set);
    case 'volumes':
      return volumeTable.update(update.set);
    case 'volume_attachments':
      return attachmentTable.update(update.set);
    case 'gateways':
      return gatewayTable.update(update.set);
    case 'gateway_replicas':
      return replicaTable.update(update.set);
    case 'provider_groups':
      return groupTable.update(update.set);
  }
}

async function insertRows(tx: Tx, changes: readonly Change[]): Promise<void> {
  const groups = only(changes, 'group.insert').map((c) => groupTable.insert(c.group));
  await insertInSlices(groups, (slice) => tx.insertInto('provider_groups').values(slice).execute());
  const instances = only(changes, 'instance.insert').map((c) => instanceTable.insert(c.instance));
  await insertInSlices(instances, (slice) => tx.insertInto('instances').values(slice).execute());
  const jobs = only(changes, 'job.insert').map((c) => jobTable.insert(c.job));
  const owned = jobs.map((job) => ({ ...job, user_id: userOfRun(job.run_id) }));
  await insertInSlices(owned, (slice) => tx.insertInto('jobs').values(slice).execute());
  const replicas = only(changes, 'gateway-replica.insert').map((c) => ({
    ...replicaTable.insert(c.replica),
    ssh_private_key: NO_KEY,
  }));
  await insertInSlices(replicas, (slice) =>
    tx.insertInto('gateway_replicas').values(slice).execute(),
  );
  const attachments = only(changes, 'attachment.insert').map((c) =>
    attachmentTable.insert(c.attachment),
  );
  await insertInSlices(attachments, (slice) =>
    tx.insertInto('volume_attachments').values(slice).execute(),
  );
}

const userOfRun = (runId: Id) => sql<string>`(select user_id from runs where id = ${runId})`;

/** The server reaches its machine by the link to the agent there. */
const NO_KEY = '' as never;

/** The same intent twice is one; a different one under its key is a mistake of the decision. */
async function insertIntent(tx: Tx, intent: IntentRecord): Promise<void> {
  const result = await tx
    .insertInto('intents')
    .values(intentTable.insert(intent))
    .onConflict((conflict) => conflict.column('key').doNothing())
    .executeTakeFirst();
  if (result.numInsertedOrUpdatedRows === 1n) return;
  const row = await tx
    .selectFrom('intents')
    .selectAll()
    .where('key', '=', intent.key)
    .executeTakeFirstOrThrow();
  const known = intentTable.decode(row);
  if (sameEffect(known, intent)) return;
  throw new StoreError(
    'store_intent_conflict',
    `The intent ${intent.key} is there with another content.`,
    'A new attempt at an effect needs a new attempt number.',
  );
}

function sameEffect(a: IntentRecord, b: IntentRecord): boolean {
  return (
    a.kind === b.kind &&
    a.subjectId === b.subjectId &&
    a.attempt === b.attempt &&
    // Compared as stored: without what JSON omits.
    isDeepStrictEqual(a.payload, JSON.parse(JSON.stringify(b.payload)))
  );
}

/** An effect that has been carried out meanwhile stays as it is. */
async function cancelIntent(tx: Tx, key: string, now: number): Promise<void> {
  await tx
    .updateTable('intents')
    .set(intentTable.update({ state: 'failed', error: 'cancelled', updatedAt: now }))
    .where('key', '=', key)
    .where('state', '=', 'announced')
    .execute();
}
