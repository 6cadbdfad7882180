/** How much could be placed at all: a measure, cheaper than a look for places. */
import { nodesOf } from '../../instances/index.ts';
import type { CapacitySnapshot } from '../../model/index.ts';
import { isFleetActive } from '../../status/index.ts';
import { fleetIndexes } from './kept-capacity.ts';

/** The most gangs that could get a place now: free blocks, and instances that fleets may add. */
export function roomOf({
  fleets,
  instances,
}: Pick<CapacitySnapshot, 'fleets' | 'instances'>): number {
  const active = fleets.filter((fleet) => isFleetActive(fleet.status) && !fleet.deleted);
  let free = 0;
  for (const { fleet, counts } of fleetIndexes(active, instances)) {
    free += counts.freeBlocks;
    const nodes = nodesOf(fleet);
    if (nodes === null) continue;
    if (nodes.max === null) return Infinity;
    const blocks = fleet.spec.configuration.blocks ?? 1;
    const added = Math.max(0, nodes.max - counts.active);
    // How an instance will be divided is known once it exists.
    if (added > 0) free += blocks === 'auto' ? Infinity : added * blocks;
  }
  return free;
}
