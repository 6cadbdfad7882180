/** An instance gets back what a job claimed of it. */
import type { Draft } from '../draft/draft.ts';
import type { InstanceRecord, InstanceTerminationReason } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import {
  isInstanceActive,
  isInstanceBusy,
  isInstanceProvisioning,
  isOwnHost,
} from '../status/index.ts';
import { signalCapacity } from './capacity.ts';
import { matchesFleet, nodesOf } from './fleet-match.ts';
import { moveInstance } from './move.ts';
import { terminateInstance } from './terminate.ts';

/**
 * Takes a job's blocks off an instance. Without jobs it becomes idle, or ends at once when it was
 * made for its job alone or when its fleet no longer wants it. `note` writes what else the release
 * means, before the status changes.
 */
export function releaseInstance(
  draft: Draft,
  instance: InstanceRecord,
  blocks: number,
  note: (released: InstanceRecord) => void = () => {},
): void {
  const busyBlocks = Math.max(0, instance.busyBlocks - blocks);
  const released = draft.instances.set(instance, { busyBlocks, lastJobFinishedAt: draft.now });
  note(released);
  if (busyBlocks === 0) becomeFree(draft, released);
  signalCapacity(draft, released);
}

/** Its last job has left. */
function becomeFree(draft: Draft, instance: InstanceRecord): void {
  if (!isInstanceActive(instance.status)) return;
  const isForOneJob = instance.idleSeconds === 0 && !isOwnHost(instance.backend);
  const reason = isForOneJob ? 'job_finished' : unwantedReason(draft, instance);
  if (reason !== null) {
    terminateInstance(draft, instance, reason);
  } else if (isInstanceBusy(instance.status)) {
    // The exact timer of its idle time, so that no pass of its own is needed to set it.
    const idle = isOwnHost(instance.backend) ? null : instance.idleSeconds;
    const nextPassAt = idle === null ? null : draft.now + idle * SECOND;
    moveInstance(draft, instance, 'idle', { nextPassAt });
  } else if (isInstanceProvisioning(instance.status)) {
    draft.signal('instance', instance.id);
  }
}

/** An idle instance that its fleet no longer wants ends now, not after its idle time. */
export function settleFree(draft: Draft, instance: InstanceRecord): InstanceRecord {
  if (!isInstanceActive(instance.status) || instance.busyBlocks > 0) return instance;
  const reason = unwantedReason(draft, instance);
  return reason === null ? instance : terminateInstance(draft, instance, reason);
}

/**
 * Why an instance without jobs is not kept: its fleet now asks for something else, or has more than
 * `nodes.max`. SSH hosts are always kept.
 */
function unwantedReason(draft: Draft, instance: InstanceRecord): InstanceTerminationReason | null {
  if (isOwnHost(instance.backend)) return null;
  const use = draft.fleetUse(instance.fleetId);
  if (use === null) return null;
  if (!matchesFleet(instance, use.fleet)) return 'fleet_spec_mismatch';
  const max = nodesOf(use.fleet)?.max ?? null;
  if (max === null || use.active <= max) return null;
  // Two that are released at one moment must not both end for the same surplus.
  draft.guardFleet(instance.fleetId);
  return 'max_instances_limit';
}
