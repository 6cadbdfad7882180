/** Gives an instance the machine that was created for it, or found after a crash. */

import { capabilitiesOf } from '../capabilities/capabilities.ts';
import type { Draft } from '../draft/draft.ts';
import type {
  Change,
  InstanceRecord,
  IntentResult,
  ObservedInstance,
  Offer,
  Timestamp,
} from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { isPlaceholder } from '../status/index.ts';
import { signalCapacity } from './capacity.ts';
import { signalFleet } from './fleet-use.ts';
import { moveInstance } from './move.ts';
import { ORDERED } from './preparation.ts';

export type CreationResult = Extract<IntentResult, { kind: 'instance.created' }>;
/** Created from an offer. */
export type OfferedInstance = CreationResult & { readonly offer: Offer };

export function isOffered(created: CreationResult): created is OfferedInstance {
  return created.offer !== null;
}

/** Moves a planned instance to `provisioning`. */
export function adoptInstance(
  draft: Draft,
  instance: InstanceRecord,
  created: OfferedInstance,
): InstanceRecord {
  const machine = creationFields(instance, created);
  const isOrdered = capabilitiesOf(created.offer.backend).owner === 'provider';
  if (isOrdered) draft.signal('observation', instance.id);
  signalFleet(draft, instance);
  signalCapacity(draft, instance);
  return moveInstance(draft, instance, 'provisioning', {
    ...machine,
    ...{ startedAt: draft.now, terminationMessage: isOrdered ? ORDERED : null },
  });
}

/**
 * Records the handle of an instance that was not chosen from offers; its description follows later.
 */
export function adoptHandle(
  draft: Draft,
  instance: InstanceRecord,
  { handle, hostId }: CreationResult,
): InstanceRecord {
  draft.signal('observation', instance.id);
  return draft.instances.set(instance, { handle, hostId });
}

/** Takes over the machine's description from its backend. */
export function describeInstance(
  draft: Draft,
  instance: InstanceRecord,
  machine: ObservedInstance,
): InstanceRecord {
  const offer = machine.offer ?? instance.offer;
  const { price, region } = offer ?? instance;
  const isRepriced = instance.startedAt !== null && price !== instance.price;
  if (isRepriced) draft.reprice(instance);
  const { provisioningData } = machine;
  return draft.instances.set(instance, {
    ...{ offer, price, region },
    ...(isRepriced && { pricedSince: pricedFrom(instance, draft.now) }),
    // 0: it is free, or its provider reports no price.
    provisioningData: { ...provisioningData, price: provisioningData.price || (price ?? 0) },
    totalBlocks: machine.totalBlocks ?? instance.totalBlocks,
  });
}

/**
 * The price that the owner of a machine has changed. Its jobs are shown with the one that they have started with; what they cost
 * follows the change.
 */
export function repriced(instance: InstanceRecord, price: number, now: Timestamp): Change[] {
  const { id, version, offer, provisioningData, startedAt } = instance;
  const set = {
    price,
    ...(startedAt !== null && { pricedSince: pricedFrom(instance, now) }),
    ...(offer && { offer: { ...offer, price } }),
    ...(provisioningData && { provisioningData: { ...provisioningData, price } }),
  };
  return [
    { type: 'instance.update', id, version, set },
    ...(startedAt === null ? [] : [{ type: 'ledger.reprice', instance, at: now } as const]),
  ];
}

/** Not before the last change: the clock may have been set back. */
function pricedFrom({ pricedSince, startedAt }: InstanceRecord, now: Timestamp): Timestamp {
  return Math.max(now, pricedSince ?? startedAt ?? now);
}

/** Records the machine of an instance that is already ending, so that it can be terminated. */
export function recordInstance(
  draft: Draft,
  instance: InstanceRecord,
  created: CreationResult,
): InstanceRecord {
  if (!isOffered(created)) return adoptHandle(draft, instance, created);
  return draft.instances.set(instance, creationFields(instance, created));
}

/**
 * The machine as its creation reported it. For a placeholder, placement chose the blocks of each offer;
 * an instance that the fleet planned is divided by the fleet's `blocks` (null = `auto`).
 */
function creationFields(
  instance: InstanceRecord,
  created: OfferedInstance,
): Partial<InstanceRecord> {
  const { offer, handle, provisioningData, hostId } = created;
  const { backend, region, price } = offer;
  const planned = instance.totalBlocks ?? totalBlocksOf(offer, 'auto');
  const totalBlocks = isPlaceholder(instance) ? (offer.total_blocks ?? planned) : planned;
  const described = {
    backend,
    region,
    price,
    offer,
    provisioningData,
    totalBlocks: totalBlocks ?? 1,
  };
  return { ...described, handle, hostId };
}
