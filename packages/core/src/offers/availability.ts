import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { Offer } from '../model/index.ts';

/** Follows the definition of the wire: `unknown` counts as available. */
export function isAvailableOffer(offer: Pick<Offer, 'availability'>): boolean {
  return ['available', 'unknown', 'idle'].includes(offer.availability);
}

/** Whether the machine is in use, so that an order waits for it in the queue of the backend itself. */
export function isQueueingOffer(offer: Pick<Offer, 'availability' | 'backend'>): boolean {
  return offer.availability === 'busy' && capabilitiesOf(offer.backend).ownQueue;
}
