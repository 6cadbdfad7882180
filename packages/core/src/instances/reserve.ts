/** Reserves blocks of an instance for a job. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord } from '../model/index.ts';
import { isInstanceIdle } from '../status/index.ts';
import { moveInstance } from './move.ts';

/** Adds the job's blocks to the busy blocks; `occupyReserved` changes the status afterwards. */
export function reserveInstance(
  draft: Draft,
  instance: InstanceRecord,
  blocks: number,
): InstanceRecord {
  const found = draft.instances.get(instance.id) ?? instance;
  const counted = draft.instances.set(found, { busyBlocks: found.busyBlocks + blocks });
  draft.signal('instance', counted.id);
  return counted;
}

/**
 * Changes the blocks that a job holds of an instance whose machine is not known yet, or of one that is
 * repaired: the status stays.
 */
export function correctReservation(
  draft: Draft,
  instance: InstanceRecord,
  { from, to }: { readonly from: number; readonly to: number },
): InstanceRecord {
  const busyBlocks = Math.max(0, instance.busyBlocks - from + to);
  return draft.instances.set(instance, { busyBlocks });
}

/** Makes an idle instance busy. Call after `reserveInstance` and the job's own events. */
export function occupyReserved(draft: Draft, instance: InstanceRecord): void {
  const counted = draft.instances.get(instance.id) ?? instance;
  if (isInstanceIdle(counted.status)) moveInstance(draft, counted, 'busy', { nextPassAt: null });
}
