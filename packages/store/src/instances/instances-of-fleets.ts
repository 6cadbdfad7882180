import type { Id, InstanceRecord } from '@dstack/core';
import type { Db, Tx } from '../context.ts';
import { keyList, parseKeyList } from '../key-list.ts';
import { forIds, groupBy, notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
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
      .select(keyList({ order: 'instance_num' }).as('keys'))
      .where('fleet_id', 'in', slice)
      .where(notDeleted('deleted'))
      .execute(),
  );
  const keys = lists.flatMap((list) => parseKeyList(list.keys));
  const instances = await records.read(db, instanceTable, keys);
  const byFleet = groupBy(instances, (instance) => instance.fleetId);
  return [...new Set(fleetIds)].flatMap((id) => byFleet.get(id) ?? []);
}
