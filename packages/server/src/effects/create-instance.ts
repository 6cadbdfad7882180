import {
  type Backend,
  type InstanceOrder,
  NoAnswerError,
  orderedProvisioningData,
  SkipOfferError,
} from '@dstack/backends';
import type { IntentResult, Offer, ProvisioningData } from '@dstack/core';
import { type OffersToTry, tryOffers } from './try-offers.ts';

export interface CreateInstanceInput extends OffersToTry {
  readonly order: Omit<InstanceOrder, 'offer' | 'placementGroup'>;
  readonly backend: (offer: Offer) => Promise<Backend | null>;
  /** See `OrderRecord`. */
  readonly asking: (left: number, backend: Backend) => Promise<void>;
  /** See `OrderRecord`. */
  readonly sending: () => Promise<void>;
  /** Null: none. Rejects with `SkipOfferError` if one is required and cannot be created. */
  readonly placementGroup: (offer: Offer, backend: Backend) => Promise<string | null>;
}

/** Creates the instance from the first offer that a backend accepts. */
export async function createInstance(input: CreateInstanceInput): Promise<IntentResult> {
  return await tryOffers(input, async (offer, left) => {
    const backend = await input.backend(offer);
    const mayExist = input.wasAsked(left);
    if (!backend?.instances) {
      const text = 'this server cannot create machines there';
      // No adapter has looked for it, so a deleted backend is no answer.
      throw input.inDoubt(left) ? new NoAnswerError(text) : new SkipOfferError(text);
    }
    const placementGroup = await input.placementGroup(offer, backend);
    await input.asking(left, backend);
    const { sending: onSending } = input;
    const order = { ...input.order, placementGroup, offer, mayExist, onSending };
    const created = await backend.instances.create(order);
    const provisioningData =
      created.provisioningData ?? orderedProvisioningData(offer, created.handle.id);
    return {
      ...{ kind: 'instance.created', ...created, provisioningData },
      offer: takenOffer(offer, provisioningData),
    };
  });
}

/**
 * An earlier order with the same key may have made a machine of another offer, or at another price: what
 * is charged is what run and instance report.
 */
function takenOffer(offer: Offer, machine: ProvisioningData): Offer {
  const { instance_type: instance, region, price } = machine;
  return { ...offer, instance, region, price };
}
