import type { Id, InstanceRecord } from '@dstack/core';
import type { Db, Tx } from '../context.ts';
import { forIds, notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { instanceTable } from '../schema/work-tables.ts';

/** Not deleted ones, by number. */
export async function instancesOfFleets(
  db: Db | Tx,
  records: RecordCache,
  fleetIds: readonly Id[],
): Promise<InstanceRecord[]> {
  const keys = await forIds(fleetIds, (slice) =>
    db
      .selectFrom('instances')
      .select(['id', 'version'])
      .where('fleet_id', 'in', slice)
      .where(notDeleted('deleted'))
      .orderBy('fleet_id')
      .orderBy('instance_num')
      .execute(),
  );
  return records.read(db, instanceTable, keys);
}
