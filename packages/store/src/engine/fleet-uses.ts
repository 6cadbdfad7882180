import { ENDING_INSTANCE_STATUSES } from '@dstack/contract/status';
import { type FleetUse, type Id, nodesOf } from '@dstack/core';
import { sql } from 'kysely';
import type { Tx } from '../context.ts';
import { forIds, groupBy, notDeleted } from '../query.ts';
import type { RecordCache } from '../record-cache.ts';
import { fleetTable } from '../schema/work-tables.ts';

/** These fleets with the number of their active instances, counted only where there is a limit. */
export async function fleetUses(
  tx: Tx,
  records: RecordCache,
  fleetIds: readonly Id[],
): Promise<FleetUse[]> {
  const keys = await forIds(fleetIds, (slice) =>
    tx.selectFrom('fleets').select(['id', 'version']).where('id', 'in', slice).execute(),
  );
  const fleets = await records.read(tx, fleetTable, keys);
  const limited = fleets.filter((fleet) => nodesOf(fleet)?.max != null).map((fleet) => fleet.id);
  const rows = await forIds(limited, (slice) =>
    tx
      .selectFrom('instances')
      .select(['fleet_id', sql<number>`count(*)`.as('active')])
      .where('fleet_id', 'in', slice)
      .where(notDeleted('deleted'))
      .where('status', 'not in', ENDING_INSTANCE_STATUSES)
      .groupBy('fleet_id')
      .execute(),
  );
  const counts = groupBy(rows, (row) => row.fleet_id);
  return fleets.map((fleet) => ({
    fleet,
    active: Number(counts.get(fleet.id)?.[0]?.active ?? 0),
  }));
}
