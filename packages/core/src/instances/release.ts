/** Releases what a job has claimed of an instance. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord, InstanceTerminationReason } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import {
  isInstanceActive,
  isInstanceBusy,
  isInstanceProvisioning,
  isSshHost,
} from '../status/index.ts';
import { signalCapacity } from './capacity.ts';
import { settleDivision } from './division.ts';
import { matchesFleet, nodesOf } from './fleet-match.ts';
import { relyOnFleet } from './fleet-use.ts';
import { moveInstance } from './move.ts';
import { terminateInstance } from './terminate.ts';

/**
 * Releases a job's blocks. An instance without jobs becomes idle; it ends if it was created for this
 * job only or if its fleet no longer wants it. `record` writes the job's own events, which come before
 * the change of status.
 */
export function releaseInstance(
  draft: Draft,
  instance: InstanceRecord,
  blocks: number,
  record: (released: InstanceRecord) => void = () => {},
): void {
  const busyBlocks = Math.max(0, instance.busyBlocks - blocks);
  const released = draft.instances.set(instance, { busyBlocks, lastJobFinishedAt: draft.now });
  record(released);
  if (busyBlocks === 0) becomeFree(draft, released);
  signalCapacity(draft, released);
}

/** Called when the last job has left. */
function becomeFree(draft: Draft, instance: InstanceRecord): void {
  if (!isInstanceActive(instance.status)) return;
  const isForOneJob = instance.idleSeconds === 0 && !isSshHost(instance.backend);
  const reason = isForOneJob ? 'job_finished' : unwantedReason(draft, instance);
  if (reason !== null) {
    terminateInstance(draft, instance, reason);
  } else if (isInstanceBusy(instance.status)) {
    // Set the idle timer here, so that the instance needs no pass for it.
    const idle = isSshHost(instance.backend) ? null : instance.idleSeconds;
    const nextPassAt = idle === null ? null : draft.now + idle * SECOND;
    relyOnFleet(draft, instance);
    moveInstance(draft, settleDivision(draft, instance), 'idle', { nextPassAt });
    // It does for the end of a cordon or a drain.
    if (instance.scheduling !== null) draft.signal('instance', instance.id);
  } else if (isInstanceProvisioning(instance.status)) {
    draft.signal('instance', instance.id);
  }
}

/** Ends an idle instance that its fleet no longer wants, without waiting for its idle timeout. */
export function settleFree(draft: Draft, instance: InstanceRecord): InstanceRecord {
  if (!isInstanceActive(instance.status) || instance.busyBlocks > 0) return instance;
  const reason = unwantedReason(draft, instance);
  return reason === null ? instance : terminateInstance(draft, instance, reason);
}

/**
 * Why an instance without jobs is not kept: it no longer satisfies its fleet's spec, or the fleet
 * exceeds `nodes.max`. SSH hosts are always kept.
 */
function unwantedReason(draft: Draft, instance: InstanceRecord): InstanceTerminationReason | null {
  if (isSshHost(instance.backend)) return null;
  const use = draft.fleetUse(instance.fleetId);
  if (use === null) return null;
  if (!matchesFleet(instance, use.fleet)) return 'fleet_spec_mismatch';
  const max = nodesOf(use.fleet)?.max ?? null;
  if (max === null || use.active <= max) return null;
  // Two instances released at the same time must not both end for one surplus.
  draft.guardFleet(instance.fleetId);
  return 'max_instances_limit';
}
