/** How much could be placed at all: a measure, cheaper than a look for places. */
import { nodesOf } from '../../instances/index.ts';
import type { CapacitySnapshot } from '../../model/index.ts';
import { isUsable } from '../../offers/pool.ts';
import { isFleetActive, isInstanceActive, isInstanceAvailable } from '../../status/index.ts';

/** The most gangs that could get a place now: free blocks, and instances that fleets may add. */
export function roomOf({
  fleets,
  instances,
}: Pick<CapacitySnapshot, 'fleets' | 'instances'>): number {
  let free = 0;
  const active = new Map<string, number>();
  for (const one of instances) {
    if (isInstanceActive(one.status)) active.set(one.fleetId, (active.get(one.fleetId) ?? 0) + 1);
    if (one.totalBlocks === null || one.busyBlocks >= one.totalBlocks) continue;
    if (isInstanceAvailable(one.status) && isUsable(one)) free += one.totalBlocks - one.busyBlocks;
  }
  for (const fleet of fleets) {
    const nodes = isFleetActive(fleet.status) ? nodesOf(fleet) : null;
    if (nodes === null) continue;
    if (nodes.max === null) return Infinity;
    const blocks = fleet.spec.configuration.blocks ?? 1;
    const added = Math.max(0, nodes.max - (active.get(fleet.id) ?? 0));
    // How an instance will be divided is known once it exists.
    if (added > 0) free += blocks === 'auto' ? Infinity : added * blocks;
  }
  return free;
}
