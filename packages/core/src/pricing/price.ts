/** The one home of what a machine and a share of it cost. */
import type { Offer } from '../model/index.ts';

const MICRO = 1_000_000;

/** Micro-dollars per hour for a whole machine; 0 also where no price is known, as for SSH hosts. */
export function hourlyPrice({ price }: Pick<Offer, 'price'>): number {
  return Math.max(0, Math.round(price * MICRO));
}

/** The part of a machine's price for `blocks` of its `totalBlocks`, in micro-dollars per hour. */
export function hourlyShare(
  offer: Pick<Offer, 'price'>,
  blocks: number,
  totalBlocks: number,
): number {
  return Math.round((hourlyPrice(offer) * blocks) / totalBlocks);
}
