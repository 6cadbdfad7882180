/** The capacity that a gang could use, now or once it is free: only that is kept from others for it. */
import type { Id } from '../../model/index.ts';
import { times } from '../../quotas/amounts.ts';
import type { Use } from '../../quotas/guarantees.ts';
import type { GangRequest } from '../gang-request.ts';
import type { CapacityLedger } from '../place/capacity-ledger.ts';
import { candidateFleets, isClusterFor, newSlots, nodesNeeded } from '../place/choose-fleet.ts';
import { existingSlot, poolOffer } from '../place/existing-instances.ts';
import { type Ask, whyNotGrow } from '../place/new-capacity.ts';
import { fitting } from '../place/refusals.ts';
import { amountsOfSlot } from '../quota/slots.ts';

export interface UsablePart {
  readonly fleetId: Id;
  readonly instanceIds: readonly Id[];
  /** Whether a new instance of the fleet could take a node of it. */
  readonly mayGrow: boolean;
}

/**
 * By fleet; nothing of one that could never hold the gang. `isEntitled`: whether what a share really uses is meant,
 * which may be more than the least that the gang asks for.
 */
export function usableBy(
  ledger: CapacityLedger,
  request: GangRequest,
  ask: Ask,
  isEntitled: (use: Use) => boolean,
): UsablePart[] {
  return candidateFleets(ledger, request).flatMap((fleet) => {
    const [node] = request.nodes;
    if (!node || !isClusterFor(fleet, request)) return [];
    // It could use nothing of the fleet now, and does not keep it from those that end before the window.
    if (ledger.windows.against(fleet, request) !== null) return [];
    const mayGrow =
      whyNotGrow(ledger, fleet, 1, request) === null &&
      !('none' in newSlots(ledger, fleet, request, ask));
    const { instances, places } = fitting(ledger, fleet, request);
    if (!mayGrow && places < nodesNeeded(ledger, request)) return [];
    const entitled = instances.filter((alike) => {
      const [sample] = alike.first(1);
      const found = sample && poolOffer(ledger, fleet, sample, node, request);
      if (!found) return true;
      const amounts = times(amountsOfSlot(existingSlot(found)), request.nodes.length);
      return isEntitled({ projectId: request.run.projectId, fleetId: fleet.id, amounts });
    });
    const instanceIds = entitled.flatMap((alike) => alike.first(alike.size).map(({ id }) => id));
    return [{ fleetId: fleet.id, instanceIds, mayGrow }];
  });
}
