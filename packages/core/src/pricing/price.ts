/** The one home of what a machine and a share of it cost. */
import type { Offer } from '../model/index.ts';

const MICRO = 1_000_000;

/**
 * Micro-dollars per hour for a whole machine; null = not known, as for SSH hosts and clusters. Offers have the
 * price 0 where none is known.
 */
export function knownPrice({ price }: Pick<Offer, 'price'>): number | null {
  const micro = Math.round(price * MICRO);
  return micro > 0 && Number.isFinite(micro) ? micro : null;
}

/** Micro-dollars per hour for a whole machine; 0 also where no price is known. */
export function hourlyPrice(offer: Pick<Offer, 'price'>): number {
  return knownPrice(offer) ?? 0;
}

/** The part of a machine's price for `blocks` of its `totalBlocks`, in micro-dollars per hour, rounded down. */
export function hourlyShare(
  offer: Pick<Offer, 'price'>,
  blocks: number,
  totalBlocks: number,
): number {
  return Math.floor((hourlyPrice(offer) * blocks) / totalBlocks);
}
