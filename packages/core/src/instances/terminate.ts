/** Moves that end an instance. */
import { Draft } from '../draft/draft.ts';
import type {
  Decision,
  EventActor,
  InstanceRecord,
  InstanceTerminationReason,
  Timestamp,
} from '../model/index.ts';
import { signalCapacity } from './capacity.ts';
import { moveInstance } from './move.ts';

/** Orders the end of the machine; the instance no longer counts against `nodes.max`. */
export function terminateInstance(
  draft: Draft,
  instance: InstanceRecord,
  terminationReason: InstanceTerminationReason | null,
  terminationMessage: string | null = null,
  actor: EventActor | null = null,
): InstanceRecord {
  const end = { terminationReason, terminationMessage, nextPassAt: null };
  const ended = moveInstance(draft, instance, 'terminating', end, actor);
  draft.leaveFleet(instance.fleetId);
  draft.signal('instance', instance.id);
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, ended);
  return ended;
}

/** The changes by which the API terminates instances of a fleet for a user. */
export function terminateByUser(
  instances: readonly InstanceRecord[],
  by: { readonly actor: EventActor; readonly now: Timestamp },
): Pick<Decision, 'changes' | 'signals'> {
  const draft = new Draft({ instances }, by);
  for (const instance of instances) {
    terminateInstance(draft, instance, 'terminated_by_user', null, by.actor);
  }
  return { changes: draft.changes(), signals: draft.signals() };
}

/** The machine no longer exists. `keepVisible`: the row stays listed with its reason. */
export function finishInstance(
  draft: Draft,
  instance: InstanceRecord,
  patch: Pick<Partial<InstanceRecord>, 'terminationReason' | 'terminationMessage'> = {},
  keepVisible = false,
): void {
  const deletion = keepVisible ? {} : { deleted: true, deletedAt: draft.now };
  const ended = moveInstance(draft, instance, 'terminated', { ...patch, ...deletion });
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, ended);
}

/** No machine was created. The row stays visible with the reason until the fleet's next attempt. */
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

/** Deletes the row of an instance that was planned for a job and got no machine. */
export function discardPlaceholder(draft: Draft, instance: InstanceRecord): void {
  draft.instances.delete(instance);
  draft.leaveFleet(instance.fleetId);
  draft.signal('fleet', instance.fleetId);
  signalCapacity(draft, instance);
}
