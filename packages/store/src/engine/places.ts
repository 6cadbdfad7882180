import { type FleetUse, type Id, type InstanceRecord, nodesOf } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { fleetTable, instanceTable } from '../schema/work-tables.ts';

export interface Places {
  readonly instances: readonly InstanceRecord[];
  /** Their fleets with the number of their active instances, counted only where there is a limit. */
  readonly fleetUses: readonly FleetUse[];
}

/** These instances and their fleets; unchanged records come from the cache. */
export async function placesOf(
  tx: Tx,
  { records, fleetIndexes }: Pick<StoreContext, 'records' | 'fleetIndexes'>,
  instanceIds: readonly Id[],
): Promise<Places> {
  const keys = await forIds(instanceIds, (slice) =>
    tx
      .selectFrom('instances as i')
      .innerJoin('fleets as f', 'f.id', 'i.fleet_id')
      .select(['i.id', 'i.version', 'f.id as fleet_id', 'f.version as fleet_version'])
      .where('i.id', 'in', slice)
      .execute(),
  );
  const instances = await records.read(tx, instanceTable, keys);
  const fleetVersions = new Map(keys.map((key) => [key.fleet_id, key.fleet_version]));
  const fleetKeys = [...fleetVersions].map(([id, version]) => ({ id, version }));
  const fleets = await records.read(tx, fleetTable, fleetKeys);
  const limited = fleets.filter((fleet) => nodesOf(fleet)?.max != null).map((fleet) => fleet.id);
  const active = await fleetIndexes.activeIn(tx, limited);
  return {
    instances,
    fleetUses: fleets.map((fleet) => ({ fleet, active: active.get(fleet.id) ?? 0 })),
  };
}
