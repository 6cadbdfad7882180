/** An instance in `terminating`: the order to the backend is repeated until it succeeds. */
import { eventMessage } from '../../events/event-message.ts';
import { instanceTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import { finishInstance, recordInstance } from '../../instances/index.ts';
import { BACKEND_MISSING, type GroupRecord, type IntentRecord } from '../../model/index.ts';
import {
  BACKEND_MISSING_LIMIT,
  HOST_REMOVE_LIMIT,
  isGroupDeleted,
  isGroupFailed,
  isSshHost,
  terminateDelay,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { InstancePass } from './instance-pass.ts';
import { nudgeCreation, withdrawUntried } from './instance-start.ts';

export function advanceTermination(pass: InstancePass): void {
  const { instance, draft } = pass;
  if (instance.handle === null && !adoptLate(pass)) return;
  if (pass.snapshot.group !== null) {
    endWithGroup(pass, pass.snapshot.group);
    return;
  }
  const last = draft.lastIntent('instance.terminate', instance.id);
  if (last === null) {
    draft.announce(instance.id, { kind: 'instance.terminate' });
    dueToGiveUp(pass);
  } else if (last.state === 'done' || isGivenUpHost(pass, last)) {
    finish(pass);
  } else if (last.state === 'failed' && isGivenUp(pass, last)) {
    giveUpMachine(pass);
  } else if (last.state === 'failed') {
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (pass.now >= again) draft.announce(instance.id, { kind: 'instance.terminate' });
    else draft.dueAt(again);
  }
}

/** The machines of a compute group end together, by the order that deletes the group. */
function endWithGroup(pass: InstancePass, { id, status }: GroupRecord): void {
  if (isGroupDeleted(status) || isGroupFailed(status)) finish(pass);
  else pass.draft.signal('group', id);
}

/** An SSH host costs nothing, so its agent stays there if it cannot be removed in time. */
function isGivenUpHost(pass: InstancePass, last: IntentRecord): boolean {
  if (!isSshHost(pass.instance.backend)) return false;
  return last.state !== 'announced' || dueToGiveUp(pass);
}

/** Returns whether the time for removing an agent is over, and schedules a pass for that moment. */
function dueToGiveUp(pass: InstancePass): boolean {
  if (!isSshHost(pass.instance.backend)) return false;
  const until = silenceDeadline(pass.ctx, pass.instance.statusChangedAt, HOST_REMOVE_LIMIT);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/**
 * The backend is no longer configured, so the server cannot terminate the machine. It gives up after a
 * grace period, in which the removal may be corrected.
 */
function isGivenUp(pass: InstancePass, last: IntentRecord): boolean {
  if (last.result?.kind !== 'refused' || last.result.reason !== BACKEND_MISSING) return false;
  const until = silenceDeadline(pass.ctx, pass.instance.statusChangedAt, BACKEND_MISSING_LIMIT);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Ends the row with an alarm that names the machine, which a person has to terminate by hand. */
function giveUpMachine(pass: InstancePass): void {
  const { backend, region, provisioningData: data, name, handle } = pass.instance;
  const ids = [handle?.id, data?.hostname].flatMap((known) => known || []);
  const event = recordEvent({
    action: 'instance.machine_abandoned',
    data: { instance: name, ids, backend, region },
    targets: [instanceTarget(pass.instance)],
  });
  const text = eventMessage(event);
  pass.draft.event(event);
  pass.draft.alarm(text);
  finishInstance(pass.draft, pass.instance, { terminationMessage: text });
  pass.signalRuns();
}

/**
 * For an instance that ended during its creation. Returns whether there is something to release; if
 * there is nothing and nothing can appear, the instance is finished here.
 */
function adoptLate(pass: InstancePass): boolean {
  const create = pass.draft.lastIntent('instance.create', pass.instance.id);
  if (create?.result?.kind === 'instance.created') {
    recordInstance(pass.draft, pass.instance, create.result);
    return true;
  }
  if (create === null || create.state !== 'announced') {
    finish(pass);
    return false;
  }
  withdrawUntried(pass, create);
  // Wait for the result: it may be the only record of a machine that costs money.
  nudgeCreation(pass, create);
  return false;
}

/** An instance that was never in service stays visible with its reason until the fleet's next attempt. */
function finish(pass: InstancePass): void {
  const { instance } = pass;
  const wasPlanned = instance.startedAt === null && instance.provisioningJobId === null;
  const keepVisible = wasPlanned && instance.terminationReason !== 'terminated_by_user';
  finishInstance(pass.draft, instance, {}, keepVisible);
  pass.signalRuns();
}
