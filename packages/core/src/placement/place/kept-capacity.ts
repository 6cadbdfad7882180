/** Indexes that are kept between passes, as parts of a snapshot. */
import type { CapacitySnapshot, FleetRecord, Id, InstanceRecord } from '../../model/index.ts';
import { noneLater } from '../../time/past-times.ts';
import { FleetIndex } from './fleet-index.ts';

/** By list of instances: a list that never changes has the same indexes in each pass. */
const kept = new WeakMap<readonly InstanceRecord[], ReadonlyMap<Id, FleetIndex>>();

/** The fleets and instances of a snapshot, whose passes use these indexes. */
export function capacityOf(
  indexes: readonly FleetIndex[],
): Pick<CapacitySnapshot, 'fleets' | 'instances'> {
  const instances = Object.freeze(indexes.flatMap((index) => index.instances));
  noneLater(instances, Math.max(...indexes.map(({ latest }) => latest), -Infinity));
  kept.set(instances, new Map(indexes.map((index) => [index.fleet.id, index])));
  return { fleets: indexes.map(({ fleet }) => fleet), instances };
}

/** An index of each of these fleets: the one that is kept, or one made of the records. */
export function fleetIndexes(
  fleets: readonly FleetRecord[],
  instances: readonly InstanceRecord[],
): FleetIndex[] {
  const known = kept.get(instances);
  let byFleet: Map<Id, InstanceRecord[]> | null = null;
  return fleets.map((fleet) => {
    const index = known?.get(fleet.id)?.of(fleet);
    if (index) return index;
    byFleet ??= Map.groupBy(instances, (one) => one.fleetId);
    return FleetIndex.of(fleet, byFleet.get(fleet.id) ?? []);
  });
}
