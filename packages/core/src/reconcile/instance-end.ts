/** An instance in `terminating`: the backend is told until it obeys. */
import { finishInstance, noteMachine } from '../instances/index.ts';
import { HOST_REMOVE_LIMIT, isOwnHost, terminateDelay } from '../status/index.ts';
import type { InstancePass } from './instance-pass.ts';
import { nudgeCreation } from './instance-start.ts';

export function advanceTermination(pass: InstancePass): void {
  const { instance, draft } = pass;
  if (isOwnHost(instance.backend)) {
    releaseHost(pass);
    return;
  }
  if (instance.provisioningData === null && !adoptLateMachine(pass)) return;
  const last = draft.lastIntent('instance.terminate', instance.id);
  if (last === null) {
    draft.announce(instance.id, { kind: 'instance.terminate' });
  } else if (last.state === 'done') {
    finish(pass);
  } else if (last.state === 'failed') {
    const again = last.updatedAt + terminateDelay(last.attempt);
    if (pass.now >= again) draft.announce(instance.id, { kind: 'instance.terminate' });
    else draft.dueAt(again);
  }
}

/**
 * The agent is taken off a host that leaves its fleet, if the host can still be reached; one that
 * cannot keeps nobody waiting.
 */
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
 * The end came while the machine was still being made. Answers whether there is one to end; without
 * a machine and none on its way the instance ends here.
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
  // Its result may be the only word of a machine that costs money: it is waited for.
  nudgeCreation(pass, create);
  return false;
}

function finish(pass: InstancePass): void {
  finishInstance(pass.draft, pass.instance);
  pass.signalRuns();
}
