import type { Offer } from '../model/index.ts';

/** As the wire defines it: `unknown` counts as available. */
export function isAvailableOffer(offer: Pick<Offer, 'availability'>): boolean {
  return ['available', 'unknown', 'idle'].includes(offer.availability);
}
