import { type FleetUse, type Id, nodesOf } from '@dstack/core';
import { forIds } from '../base/query.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { fleetTable } from '../schema/work-tables.ts';

/** These fleets with the number of their active instances, counted only where there is a limit. */
export async function fleetUses(
  tx: Tx,
  { records, fleetIndexes }: Pick<StoreContext, 'records' | 'fleetIndexes'>,
  fleetIds: readonly Id[],
): Promise<FleetUse[]> {
  const keys = await forIds(fleetIds, (slice) =>
    tx.selectFrom('fleets').select(['id', 'version']).where('id', 'in', slice).execute(),
  );
  const fleets = await records.read(tx, fleetTable, keys);
  const limited = fleets.filter((fleet) => nodesOf(fleet)?.max != null).map((fleet) => fleet.id);
  const active = await fleetIndexes.activeIn(tx, limited);
  return fleets.map((fleet) => ({ fleet, active: active.get(fleet.id) ?? 0 }));
}
