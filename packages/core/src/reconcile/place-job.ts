/** A submitted job whose machine is being made: what became of it. */
import { instanceProvisionedEvent } from '../events/events.ts';
import { adoptMachine, type CreatedMachine, runtimeDataFor } from '../instances/index.ts';
import type { InstanceRecord, JobRecord } from '../model/index.ts';
import { asJobReason, CREATE_LIMIT, isInstancePending } from '../status/index.ts';
import { endJob } from './end-job.ts';
import type { RunPass } from './run-pass.ts';
import { awaitPlace } from './wait-for-place.ts';

const NO_CAPACITY = 'failed_to_start_due_to_no_capacity';

export function advanceSubmitted(pass: RunPass, job: JobRecord): void {
  if (job.instanceId === null) {
    awaitPlace(pass, job);
    return;
  }
  const instance = pass.instanceOf(job);
  if (instance === null) {
    endJob(pass, job, NO_CAPACITY, { message: 'The instance was removed before it was made' });
    return;
  }
  if (!isInstancePending(instance.status)) {
    endOrAdopt(pass, job, instance);
    return;
  }
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (create?.result?.kind === 'instance.created') {
    const made = adoptMachine(pass.draft, instance, create.result);
    bind(pass, job, made, create.result);
    return;
  }
  if (create?.result?.kind === 'no-capacity') {
    endJob(pass, job, NO_CAPACITY, { message: create.result.message });
  } else if (create?.result?.kind === 'refused') {
    const reason = asJobReason(create.result.reason) ?? NO_CAPACITY;
    endJob(pass, job, reason, { message: create.result.message });
  } else if (create?.state === 'failed') {
    endJob(pass, job, NO_CAPACITY, { message: create.error });
  } else if (pass.now >= instance.createdAt + CREATE_LIMIT) {
    endJob(pass, job, NO_CAPACITY, { message: 'No machine was made within an hour' });
  } else {
    pass.draft.dueAt(instance.createdAt + CREATE_LIMIT);
  }
}

/** Its instance's own pass may have found the machine first. */
function endOrAdopt(pass: RunPass, job: JobRecord, instance: InstanceRecord): void {
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (instance.provisioningData !== null && create?.result?.kind === 'instance.created') {
    bind(pass, job, instance, create.result);
    return;
  }
  endJob(pass, job, NO_CAPACITY, { message: instance.terminationMessage });
}

function bind(
  pass: RunPass,
  job: JobRecord,
  instance: InstanceRecord,
  created: CreatedMachine,
): void {
  // Which of the offers was honoured decides into how many blocks the machine is divided.
  const total = instance.totalBlocks ?? 1;
  const claimedBlocks = Math.min(created.offer.blocks ?? job.claimedBlocks, total);
  const busyBlocks = instance.busyBlocks - job.claimedBlocks + claimedBlocks;
  const claimed = pass.draft.jobs.set(job, { claimedBlocks });
  pass.draft.instances.set(instance, { busyBlocks });
  const bound = pass.moveJob(claimed, 'provisioning', {
    provisioningData: created.provisioningData,
    provisionedAt: pass.now,
    runtimeData: runtimeDataFor(claimed, instance, created.offer, pass.ctx.settings),
  });
  pass.draft.event(instanceProvisionedEvent(instance, bound));
  // Its host was not known when this snapshot was loaded, and may have been connected for long.
  if (pass.hostOf(bound) === null) pass.draft.signal('run', bound.runId);
}
