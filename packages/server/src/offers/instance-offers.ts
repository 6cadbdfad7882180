import {
  capabilitiesOf,
  type InstanceRecord,
  isAvailableOffer,
  type Offer,
  unmetLocation,
} from '@dstack/core';
import type { OfferSource } from './offer-source.ts';

/** Offers for an instance that a fleet plans without a job, cheapest first. */
export function instanceOffers(source: OfferSource) {
  return async (instance: InstanceRecord): Promise<readonly Offer[]> => {
    const { requirements, profile } = instance;
    if (!requirements) return [];
    const { projectId, fleetId } = instance;
    const question = { key: 'instance', fleetId, projectId, requirements, backends: null };
    const { offers: answers } = await source.answer(projectId, [question]);
    return (answers.get('instance') ?? []).filter(
      (offer) =>
        isAvailableOffer(offer) &&
        capabilitiesOf(offer.backend).createInstance &&
        (!profile || unmetLocation(profile, offer) === null),
    );
  };
}
