import {
  backendTraits,
  type InstanceRecord,
  isAvailableOffer,
  type Offer,
  unmetLocation,
} from '@dstack/core';
import type { OfferSource } from './offer-source.ts';

/**
 * Offers for an instance that a fleet wants by itself, cheapest first; unavailable ones only where no
 * other is left. An earlier attempt whose answer was lost may have taken the last one: asked with the
 * same key, its backend finds that machine.
 */
export function instanceOffers(source: OfferSource) {
  return async (instance: InstanceRecord): Promise<readonly Offer[]> => {
    const { requirements, profile } = instance;
    if (!requirements) return [];
    const question = { key: 'instance', fleetId: instance.fleetId, requirements, backends: null };
    const { offers: answers } = await source.answer(instance.projectId, [question]);
    const fitting = (answers.get('instance') ?? []).filter(
      (offer) =>
        backendTraits(offer.backend).createInstance &&
        (!profile || unmetLocation(profile, offer) === null),
    );
    const available = fitting.filter(isAvailableOffer);
    return available.length > 0 ? available : fitting;
  };
}
