import type { Id, InstanceRecord } from '@dstack/core';
import { keyList } from '../base/key-list.ts';
import { forIds, notDeleted } from '../base/query.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Db, Tx } from '../context/context.ts';
import { instanceTable } from '../schema/work-tables.ts';

/** Not deleted ones, in the order of the fleets and by number. */
export async function instancesOfFleets(
  db: Db | Tx,
  records: RecordCache,
  fleetIds: readonly Id[],
): Promise<InstanceRecord[]> {
  const lists = await forIds(fleetIds, (slice) =>
    db
      .selectFrom('instances')
      .select('fleet_id')
      .select(keyList({ order: 'instance_num' }).as('keys'))
      .where('fleet_id', 'in', slice)
      .where(notDeleted('deleted'))
      .groupBy('fleet_id')
      .execute(),
  );
  const byFleet = new Map<Id, readonly InstanceRecord[]>();
  for (const { fleet_id: id, keys } of lists) {
    byFleet.set(id, await records.readList(db, instanceTable, id, keys));
  }
  return [...new Set(fleetIds)].flatMap((id) => byFleet.get(id) ?? []);
}
