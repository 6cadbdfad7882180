import { MAX_NAMED_NODES } from '@dstack/contract/wire';
import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { Offer } from '../model/index.ts';
import { isAvailableOffer } from './availability.ts';

/** Offers in a plan if the client requests no number. */
export const DEFAULT_MAX_OFFERS = 50;

export interface OfferListing {
  /** The first `maxOffers` offers. */
  readonly offers: Offer[];
  /** Number of all offers, listed or not; `max_price` is the highest price of these, null if none. */
  readonly total_offers: number;
  readonly max_price: number | null;
}

export interface ListingOptions {
  readonly maxOffers?: number | null;
  readonly reverse?: boolean;
  /** Identical nodes of a cluster are one offer. */
  readonly groupNodes?: boolean;
}

/**
 * Available offers first, else in the given order; `reverse`: the most expensive first in both. Cut
 * after sorting.
 */
export function listOffers(all: readonly Offer[], options: ListingOptions = {}): OfferListing {
  const offers = options.groupNodes ? groupNodes(all) : all;
  const rank = (offer: Offer): number => (isAvailableOffer(offer) ? 0 : 1);
  const sorted = [...offers].sort(
    (a, b) => rank(a) - rank(b) || (options.reverse ? b.price - a.price : 0),
  );
  return {
    offers: sorted.slice(0, options.maxOffers ?? DEFAULT_MAX_OFFERS),
    total_offers: offers.length,
    max_price: offers.length > 0 ? Math.max(...offers.map((offer) => offer.price)) : null,
  };
}

/** Each group is at the place of its first node. A node with several instances counts once. */
function groupNodes(offers: readonly Offer[]): Offer[] {
  const groups = new Map<unknown, { readonly first: Offer; readonly names: Set<string> }>();
  for (const offer of offers) {
    const key = capabilitiesOf(offer.backend).offersAreNodes ? withoutName(offer) : offer;
    const { name } = offer.instance;
    const group = groups.get(key);
    if (group) group.names.add(name);
    else groups.set(key, { first: offer, names: new Set([name]) });
  }
  return [...groups.values()].map(({ first, names: { size: count }, names }) =>
    count === 1
      ? first
      : { ...first, nodes: { count, names: [...names].slice(0, MAX_NAMED_NODES) } },
  );
}

/** A text that offers of equal nodes share: the names and backend data are for placement alone. */
function withoutName({ instance, backend_data: _, ...offer }: Offer): string {
  return JSON.stringify({ ...offer, resources: instance.resources });
}

/**
 * Merges the lists of several backends: always the cheapest head next, so that each backend's own
 * order is kept.
 */
export function mergeByPrice(lists: readonly (readonly Offer[])[]): Offer[] {
  const heads = lists.map((list) => ({ list, next: 0 }));
  const merged: Offer[] = [];
  for (;;) {
    let best: { list: readonly Offer[]; next: number } | null = null;
    for (const head of heads) {
      const price = head.list[head.next]?.price;
      if (price === undefined) continue;
      if (!best || price < (best.list[best.next]?.price ?? Infinity)) best = head;
    }
    const offer = best?.list[best.next];
    if (!best || !offer) return merged;
    merged.push(offer);
    best.next += 1;
  }
}
