import type { FleetRecord, InstanceRecord, Offer } from '../model/index.ts';
import type { Combined } from '../offers/combine.ts';
import { isSelected, matchInstance, type PoolOffer, type Projects } from '../offers/pool.ts';
import type { Board } from './board.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';

/** What one job of a gang gets. */
export type Seat =
  | {
      readonly kind: 'existing';
      readonly instance: InstanceRecord;
      readonly blocks: number;
      /** The job's share of the instance. */
      readonly offer: Offer;
    }
  | {
      readonly kind: 'new';
      /** To be tried in this order; all divide the machine alike. */
      readonly offers: readonly Offer[];
      /** All that fit, before those not available now were left out. */
      readonly totalOffers: number;
      readonly combined: Combined;
    };

export function projectsOf(board: Board): Projects {
  const { projectId, projectName, projectNames } = board.snapshot;
  return { projectId, projectName, projectNames };
}

/**
 * Existing instances of the fleet that can take the node now, best first: the cheapest, then the
 * one on which the fewest blocks stay free, so that large gaps are kept for large jobs.
 */
export function poolSeats(
  board: Board,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
): PoolOffer[] {
  const found: PoolOffer[] = [];
  for (const instance of board.openIn(fleet.id)) {
    const offer = poolOffer(board, fleet, instance, node, request);
    if ('offer' in offer && offer.available) found.push(offer);
  }
  const free = ({ instance, blocks }: PoolOffer): number =>
    (instance.totalBlocks ?? 0) - board.busyBlocks(instance) - blocks;
  return found.sort(
    (a, b) =>
      a.offer.price - b.offer.price ||
      free(a) - free(b) ||
      a.instance.instanceNum - b.instance.instanceNum,
  );
}

/** One instance for one node, or why not; `instances` selectors count here. */
export function poolOffer(
  board: Board,
  fleet: FleetRecord,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): PoolOffer | { readonly mismatch: string } {
  const selectors = request.profile.instances;
  if (selectors && !isSelected(selectors, instance, fleet, projectsOf(board))) {
    return { mismatch: 'instances' };
  }
  const found = matchInstance(instance, board.busyBlocks(instance), {
    requirements: node.requirements,
    needs: node.needs,
    profile: request.profile,
  });
  if ('mismatch' in found || !found.available || board.hasGpusFor(found.offer)) return found;
  return { ...found, available: false, offer: { ...found.offer, availability: 'busy' } };
}

export function existingSeat({ instance, blocks, offer }: PoolOffer): Seat {
  return { kind: 'existing', instance, blocks, offer };
}

/** What keeps a node from the fleet's instances, as `2 busy, 1 gpu`; empty if there are none. */
export function poolReasons(
  board: Board,
  fleet: FleetRecord,
  node: NodeRequest | undefined,
  request: GangRequest,
): string {
  const counts = new Map<string, number>();
  for (const instance of board.instancesOf(fleet.id)) {
    if (!node) break;
    const offer = poolOffer(board, fleet, instance, node, request);
    const reason = 'mismatch' in offer ? offer.mismatch : offer.available ? 'free' : 'busy';
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `${count} ${reasonText(reason)}`).join(', ');
}

/** Requirements are named as in the configuration. */
function reasonText(reason: string): string {
  if (reason === 'busy' || reason === 'free') return reason;
  return reason === 'status' ? 'not usable' : `without the ${reason} asked for`;
}
