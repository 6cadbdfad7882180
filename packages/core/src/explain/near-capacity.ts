/**
 * Instances and offers that the run would fit with a changed configuration, fewest changes first.
 */
import type { Rule } from '@dstack/contract/wire';
import type { InstanceRecord, Offer } from '../model/index.ts';
import { isAvailableOffer } from '../offers/availability.ts';
import { offerFindings } from '../offers/findings.ts';
import type { GangLook } from '../placement/look-ahead.ts';
import { candidateFleets } from '../placement/place/choose-fleet.ts';
import { isElastic, newCapacityFor } from '../placement/place/new-capacity.ts';
import { lookAt } from '../placement/place/refusals.ts';
import type { Market } from './offer-rows.ts';
import { everyOffer } from './offer-rows.ts';

export interface NearCapacity {
  /** Name of the instance, or of the offer and its region. */
  readonly name: string;
  readonly offer: Offer;
  /** The rules that the machine fails. */
  readonly rules: readonly Rule[];
  /** An existing instance, as opposed to an offer. */
  readonly isInstance: boolean;
}

/**
 * For each set of failed rules the largest instance or the cheapest offer; small sets come first.
 */
export function nearCapacity(look: GangLook, market: Market): NearCapacity[] {
  const best = new Map<string, NearCapacity>();
  for (const one of [...instancesOf(look), ...offersOf(look, market)]) {
    const key = one.rules.join(' ');
    const known = best.get(key);
    if (!known || isBetter(one, known)) best.set(key, one);
  }
  return [...best.values()].sort((a, b) => a.rules.length - b.rules.length);
}

function isBetter(one: NearCapacity, known: NearCapacity): boolean {
  if (one.isInstance !== known.isInstance) return one.isInstance;
  return one.isInstance ? size(one) > size(known) : one.offer.price < known.offer.price;
}

/** Larger machines require smaller changes. */
function size({ offer }: NearCapacity): number {
  const { gpus, cpus, memory_mib: memory } = offer.instance.resources;
  return gpus.length * 1e9 + cpus * 1e6 + memory;
}

function instancesOf(look: GangLook): NearCapacity[] {
  const { ledger, request } = look;
  const [node] = request.nodes;
  if (!node) return [];
  return candidateFleets(ledger, request).flatMap((fleet) =>
    ledger.instancesOf(fleet.id).flatMap((instance: InstanceRecord) => {
      const { offer, name } = instance;
      const { verdict, findings } = lookAt(ledger, fleet, instance, node, request);
      if (offer === null || verdict !== 'never') return [];
      return [{ name, offer, rules: findings.map((one) => one.rule), isInstance: true }];
    }),
  );
}

function offersOf(look: GangLook, market: Market): NearCapacity[] {
  const { ledger, request } = look;
  const [node] = request.nodes;
  if (!node) return [];
  const makers = new Set(
    market.abilities.filter((one) => one.createsInstances).map((one) => one.name),
  );
  return candidateFleets(ledger, request)
    .filter(isElastic)
    .flatMap((fleet) => {
      const capacity = newCapacityFor(fleet, node, request.profile);
      if ('excluded' in capacity) return [];
      const query = { ...capacity.combined, needs: node.needs };
      return everyOffer(look, capacity.combined)
        .filter((offer) => isAvailableOffer(offer) && makers.has(offer.backend))
        .map((offer) => ({
          name: `${offer.instance.name} in ${offer.region}`,
          offer,
          rules: offerFindings(query, offer).map((one) => one.rule),
          isInstance: false,
        }))
        .filter((one) => one.rules.length > 0);
    });
}
