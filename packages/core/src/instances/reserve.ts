/** An instance is promised to a job: one that is there, or one that is still to be made. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord } from '../model/index.ts';
import { isInstanceIdle } from '../status/index.ts';
import { moveInstance } from './move.ts';

/** Counts the blocks that a job claims; an idle instance is busy from now on. */
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

/** Follows `reserveInstance`, once the job's own events are written. */
export function occupyReserved(draft: Draft, instance: InstanceRecord): void {
  const counted = draft.instances.get(instance.id) ?? instance;
  if (isInstanceIdle(counted.status)) moveInstance(draft, counted, 'busy', { nextPassAt: null });
}
