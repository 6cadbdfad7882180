import { isInstancePending } from '@dstack/contract/status';
import type { GroupSnapshot, Id, InstanceRecord, IntentRecord } from '@dstack/core';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Tx } from '../context/context.ts';
import { instancesOfFleets } from '../fleets/instances-of-fleets.ts';
import { groupById } from '../groups/groups.ts';
import { fleetTable } from '../schema/work-tables.ts';
import { intentsOf } from './parts.ts';

export async function loadGroup(
  tx: Tx,
  records: RecordCache,
  id: Id,
): Promise<GroupSnapshot | null> {
  const group = await groupById(tx, id);
  if (!group) return null;
  const fleet = await tx
    .selectFrom('fleets')
    .selectAll()
    .where('id', '=', group.fleetId)
    .executeTakeFirstOrThrow();
  const instances = await instancesOfFleets(tx, records, [group.fleetId]);
  const orders = await ordersOf(tx, instances);
  const intents = [...(await intentsOf(tx, [id])), ...orders];
  return { group, fleet: fleetTable.decode(fleet), instances, intents };
}

/** Orders of those that are still to be created. */
export async function ordersOf(
  tx: Tx,
  instances: readonly InstanceRecord[],
): Promise<IntentRecord[]> {
  const planned = instances.filter(({ status }) => isInstancePending(status));
  return await intentsOf(
    tx,
    planned.map(({ id }) => id),
  );
}
