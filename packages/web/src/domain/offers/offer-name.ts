import type { PlanOffer } from '../../data/offers/offer-queries.ts';

/** The name of an instance; for a node of a cluster, also the number of other nodes like it. */
export function offerName({ instance, nodes }: PlanOffer): string {
  return nodes ? `${instance.name} and ${nodes.count - 1} more` : instance.name;
}
