/** A machine that was made, or found after a crash, becomes the instance that waited for it. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord, IntentResult } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { isPlaceholder } from '../status/index.ts';
import { moveInstance } from './move.ts';

export type CreatedMachine = Extract<IntentResult, { kind: 'instance.created' }>;

/** The planned instance is being provisioned from now on. */
export function adoptMachine(
  draft: Draft,
  instance: InstanceRecord,
  created: CreatedMachine,
): InstanceRecord {
  const machine = machineOf(instance, created);
  return moveInstance(draft, instance, 'provisioning', { ...machine, startedAt: draft.now });
}

/** One that ends before it was adopted: enough is noted to end its machine. */
export function noteMachine(
  draft: Draft,
  instance: InstanceRecord,
  created: CreatedMachine,
): InstanceRecord {
  return draft.instances.set(instance, machineOf(instance, created));
}

/**
 * What the creation's result says of the machine. Placement chose the blocks of each offer for its
 * job; an instance that a fleet planned is divided as the fleet says (null = `auto`).
 */
function machineOf(instance: InstanceRecord, created: CreatedMachine): Partial<InstanceRecord> {
  const { offer, provisioningData, hostId } = created;
  const { backend, region, price } = offer;
  const planned = instance.totalBlocks ?? totalBlocksOf(offer, 'auto');
  const totalBlocks = isPlaceholder(instance) ? (offer.total_blocks ?? planned) : planned;
  return { backend, region, price, offer, provisioningData, hostId, totalBlocks: totalBlocks ?? 1 };
}
