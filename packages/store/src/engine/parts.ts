/** Parts that several snapshots share. */
import type { Id, InstanceRecord, IntentRecord } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { Tx } from '../context/context.ts';
import { instanceTable, intentTable } from '../schema/work-tables.ts';

export async function instancesByIds(tx: Tx, ids: readonly Id[]): Promise<InstanceRecord[]> {
  const rows = await forIds(ids, (slice) =>
    tx.selectFrom('instances').selectAll().where('id', 'in', slice).execute(),
  );
  return rows.map(instanceTable.decode);
}

/** Oldest first. */
export async function intentsOf(tx: Tx, subjectIds: readonly Id[]): Promise<IntentRecord[]> {
  const rows = await forIds(subjectIds, (slice) =>
    tx
      .selectFrom('intents')
      .selectAll()
      .where('subject_id', 'in', slice)
      .orderBy('created_at')
      .orderBy('key')
      .execute(),
  );
  return rows.map(intentTable.decode);
}
