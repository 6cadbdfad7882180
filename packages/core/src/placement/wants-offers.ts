import type { PlacementSnapshot } from '../model/index.ts';
import { candidateFleets, chooseFleet } from './choose-fleet.ts';
import { isClusterFor } from './fleet-option.ts';
import type { GangRequest } from './gang-request.ts';
import { CapacityLedger } from './ledger.ts';
import { newCapacityFor } from './new-capacity.ts';
import { type Ask, whyNeverGrow } from './new-slots.ts';
import type { OffersWanted } from './offers-wanted.ts';
import { claimSlots } from './place.ts';
import { demandKey, queueOf } from './queue.ts';

/**
 * The questions to the backends whose answers `place` needs for this snapshot. Gangs that fit on
 * existing instances need none. After the first gang that does not fit, the remaining capacity is
 * unknown until the backends answer, so all later gangs ask as well.
 */
export function wantsBackendOffers(snapshot: PlacementSnapshot): readonly OffersWanted[] {
  const wanted = new Map<string, OffersWanted>();
  const ask: Ask = (question) => {
    wanted.set(question.key, question);
    return [];
  };
  const ledger = new CapacityLedger(snapshot, { localMaxInstances: Infinity });
  const asked = new Set<string>();
  for (const { gang, request, shared } of queueOf(snapshot)) {
    if (shared) continue;
    const key = demandKey(ledger, request);
    if (asked.has(key)) continue;
    const option = asked.size === 0 ? chooseFleet(ledger, request, ask) : null;
    if (option) {
      claimSlots(ledger, gang.run, option);
    } else {
      asked.add(key);
      askEverywhere(ledger, request, ask);
    }
  }
  return [...wanted.values()];
}

/** Asks for the offers of every candidate fleet, whether or not it may grow now. */
function askEverywhere(ledger: CapacityLedger, request: GangRequest, ask: Ask): void {
  const kinds = new Map(request.nodes.map((node) => [node.kind, node]));
  for (const fleet of candidateFleets(ledger, request)) {
    if (whyNeverGrow(fleet, request) || !isClusterFor(fleet, request)) continue;
    for (const node of kinds.values()) {
      const capacity = newCapacityFor(fleet, node, request.profile);
      if (!('excluded' in capacity)) ask(capacity.question);
    }
  }
}
