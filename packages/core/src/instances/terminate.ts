/** The end of an instance, from the decision on. */
import { Draft } from '../draft/draft.ts';
import type {
  Decision,
  Id,
  InstanceRecord,
  InstanceTerminationReason,
  Timestamp,
} from '../model/index.ts';
import { signalCapacity } from './capacity.ts';
import { moveInstance } from './move.ts';

/** Its machine is to be ended; its place in the fleet is free from now on. */
export function terminateInstance(
  draft: Draft,
  instance: InstanceRecord,
  terminationReason: InstanceTerminationReason | null,
  terminationMessage: string | null = null,
  actorUserId: Id | null = null,
): InstanceRecord {
  const end = { terminationReason, terminationMessage, nextPassAt: null };
  const ended = moveInstance(draft, instance, 'terminating', end, actorUserId);
  draft.leaveFleet(instance.fleetId);
  draft.signal('instance', instance.id);
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, ended);
  return ended;
}

/** What the API writes when a user ends instances of a fleet. */
export function terminateByUser(
  instances: readonly InstanceRecord[],
  by: { readonly actorUserId: Id; readonly now: Timestamp },
): Pick<Decision, 'changes' | 'signals'> {
  const draft = new Draft({ instances }, by);
  for (const instance of instances) {
    terminateInstance(draft, instance, 'terminated_by_user', null, by.actorUserId);
  }
  return { changes: draft.changes(), signals: draft.signals() };
}

/** Its machine is gone. */
export function finishInstance(
  draft: Draft,
  instance: InstanceRecord,
  patch: Pick<Partial<InstanceRecord>, 'terminationReason' | 'terminationMessage'> = {},
): void {
  const ended = moveInstance(draft, instance, 'terminated', {
    ...patch,
    deleted: true,
    deletedAt: draft.now,
  });
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, ended);
}

/** It was planned and never became a machine; it stays in sight, with the reason, for its fleet. */
export function abandonPlanned(
  draft: Draft,
  instance: InstanceRecord,
  terminationReason: InstanceTerminationReason,
  terminationMessage: string | null,
): void {
  const ended = moveInstance(draft, instance, 'terminated', {
    terminationReason,
    terminationMessage,
  });
  draft.leaveFleet(instance.fleetId);
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, ended);
}

/** A placeholder of a job that got no machine goes without a trace. */
export function discardPlaceholder(draft: Draft, instance: InstanceRecord): void {
  draft.instances.delete(instance);
  draft.leaveFleet(instance.fleetId);
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, instance);
}
