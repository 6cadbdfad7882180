/** An instance in `terminating`: the order to the backend is repeated until it succeeds. */
import { instanceTarget, newEvent } from '../events/events.ts';
import { finishInstance, noteMachine } from '../instances/index.ts';
import { BACKEND_MISSING, type IntentRecord } from '../model/index.ts';
import {
  BACKEND_MISSING_LIMIT,
  HOST_REMOVE_LIMIT,
  isSshHost,
  terminateDelay,
} from '../status/index.ts';
import type { InstancePass } from './instance-pass.ts';
import { nudgeCreation } from './instance-start.ts';

export function advanceTermination(pass: InstancePass): void {
  const { instance, draft } = pass;
  if (isSshHost(instance.backend)) {
    releaseHost(pass);
    return;
  }
  if (instance.provisioningData === null && !adoptLateMachine(pass)) return;
  const last = draft.lastIntent('instance.terminate', instance.id);
  if (last === null) {
    draft.announce(instance.id, { kind: 'instance.terminate' });
  } else if (last.state === 'done') {
    finish(pass);
  } else if (last.state === 'failed' && isGivenUp(pass, last)) {
    giveUpMachine(pass);
  } else if (last.state === 'failed') {
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (pass.now >= again) draft.announce(instance.id, { kind: 'instance.terminate' });
    else draft.dueAt(again);
  }
}

/**
 * The backend is no longer configured, so the server cannot terminate the machine. It gives up after a
 * grace period, in which the removal may be corrected.
 */
function isGivenUp(pass: InstancePass, last: IntentRecord): boolean {
  if (last.result?.kind !== 'refused' || last.result.reason !== BACKEND_MISSING) return false;
  const until = pass.instance.statusChangedAt + BACKEND_MISSING_LIMIT;
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

/** Ends the row with an alarm that names the machine, which somebody has to terminate by hand. */
function giveUpMachine(pass: InstancePass): void {
  const { backend, region, provisioningData: data, name } = pass.instance;
  const machine = [data?.instance_id, data?.hostname].filter(Boolean).join(', ') || 'unknown id';
  const text =
    `Machine of instance ${name} (${machine}) in ${backend}/${region} may still run and cost money: ` +
    `backend ${backend} was removed before the machine was terminated. Terminate it at the provider`;
  pass.draft.event(newEvent(text, [instanceTarget(pass.instance)]));
  pass.draft.alarm(text);
  finishInstance(pass.draft, pass.instance, { terminationMessage: text });
  pass.signalRuns();
}

/** Removes the agent from a host that leaves its fleet; gives up after `HOST_REMOVE_LIMIT`. */
function releaseHost(pass: InstancePass): void {
  const { instance, draft } = pass;
  const last = draft.lastIntent('instance.terminate', instance.id);
  const until = instance.statusChangedAt + HOST_REMOVE_LIMIT;
  if (draft.lastIntent('host.deploy', instance.id) === null) finish(pass);
  else if (last === null) draft.announce(instance.id, { kind: 'instance.terminate' });
  else if (last.state !== 'announced' || pass.now >= until) finish(pass);
  if (pass.instance.status === instance.status) draft.dueAt(until);
}

/**
 * For an instance that ended during its creation. Returns whether there is a machine to terminate; if
 * there is none and none can appear, the instance is finished here.
 */
function adoptLateMachine(pass: InstancePass): boolean {
  const create = pass.draft.lastIntent('instance.create', pass.instance.id);
  if (create?.result?.kind === 'instance.created') {
    noteMachine(pass.draft, pass.instance, create.result);
    return true;
  }
  if (create === null || create.state !== 'announced') {
    finish(pass);
    return false;
  }
  // Wait for the result: it may be the only record of a machine that costs money.
  nudgeCreation(pass, create);
  return false;
}

function finish(pass: InstancePass): void {
  finishInstance(pass.draft, pass.instance);
  pass.signalRuns();
}
