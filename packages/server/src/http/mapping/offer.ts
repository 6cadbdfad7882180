import type { InstanceOfferWithAvailability } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { perRecord } from '../kept-parts.ts';
import { wireBackend } from './backend-name.ts';

export function wireOffer(offer: Offer): InstanceOfferWithAvailability {
  return {
    backend: wireBackend(offer.backend),
    instance: offer.instance,
    region: offer.region,
    price: offer.price,
    backend_data: offer.backend_data ?? {},
    availability: offer.availability,
    availability_zones: offer.availability_zones ?? null,
    instance_runtime: offer.instance_runtime,
    blocks: offer.blocks,
    total_blocks: offer.total_blocks,
    ...(offer.nodes && { nodes: offer.nodes }),
    ...(offer.hostname && { hostname: offer.hostname }),
  };
}

/** The same in a plan, which lists the one offer of instances that are alike for each of them. */
export const plannedOffer = perRecord(wireOffer);
