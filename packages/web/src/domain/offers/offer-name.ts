import type { PlanOffer } from '../../data/offers/offer-queries.ts';

/** Of a node of a cluster: and how many others are like it. */
export function offerName({ instance, nodes }: PlanOffer): string {
  return nodes ? `${instance.name} and ${nodes.count - 1} more` : instance.name;
}
