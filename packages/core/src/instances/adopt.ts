/** Gives an instance the machine that was created for it, or found after a crash. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord, IntentResult } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { isPlaceholder } from '../status/index.ts';
import { moveInstance } from './move.ts';

export type CreatedMachine = Extract<IntentResult, { kind: 'instance.created' }>;

/** Moves a planned instance to `provisioning`. */
export function adoptMachine(
  draft: Draft,
  instance: InstanceRecord,
  created: CreatedMachine,
): InstanceRecord {
  const machine = machineOf(instance, created);
  return moveInstance(draft, instance, 'provisioning', { ...machine, startedAt: draft.now });
}

/** Records the machine of an instance that is already ending, so that it can be terminated. */
export function noteMachine(
  draft: Draft,
  instance: InstanceRecord,
  created: CreatedMachine,
): InstanceRecord {
  return draft.instances.set(instance, machineOf(instance, created));
}

/**
 * The machine as its creation reported it. For a placeholder, placement chose the blocks of each offer;
 * an instance that the fleet planned is divided by the fleet's `blocks` (null = `auto`).
 */
function machineOf(instance: InstanceRecord, created: CreatedMachine): Partial<InstanceRecord> {
  const { offer, provisioningData, hostId } = created;
  const { backend, region, price } = offer;
  const planned = instance.totalBlocks ?? totalBlocksOf(offer, 'auto');
  const totalBlocks = isPlaceholder(instance) ? (offer.total_blocks ?? planned) : planned;
  return { backend, region, price, offer, provisioningData, hostId, totalBlocks: totalBlocks ?? 1 };
}
