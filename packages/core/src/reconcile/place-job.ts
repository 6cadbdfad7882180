/** A submitted job whose machine is being made: what became of it. */
import type { InstanceRecord, IntentResult, JobRecord } from '../model/index.ts';
import { asJobReason, CREATE_LIMIT, isInstancePending } from '../status/index.ts';
import type { Draft } from './draft.ts';
import { endJob } from './end-job.ts';
import { instanceProvisionedEvent } from './events.ts';
import { moveInstance } from './moves.ts';
import type { RunPass } from './run-pass.ts';
import { runtimeDataFor } from './runtime-data.ts';

type Created = Extract<IntentResult, { kind: 'instance.created' }>;

const NO_CAPACITY = 'failed_to_start_due_to_no_capacity';

/** Without an instance it waits for placement, which needs no pass of the run. */
export function advanceSubmitted(pass: RunPass, job: JobRecord): void {
  if (job.instanceId === null) return;
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
    const made = promote(pass.draft, instance, create.result);
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

function bind(pass: RunPass, job: JobRecord, instance: InstanceRecord, created: Created): void {
  const offer = created.offer;
  const runtimeData = job.runtimeData
    ? { ...job.runtimeData, offer: job.runtimeData.offer ?? offer }
    : runtimeDataFor(job, instance, offer, pass.ctx.settings);
  const bound = pass.moveJob(job, 'provisioning', {
    provisioningData: created.provisioningData,
    provisionedAt: pass.now,
    runtimeData,
  });
  pass.draft.event(instanceProvisionedEvent(instance, bound));
  // Its host was not known when this snapshot was loaded, and may have been connected for long.
  if (pass.hostOf(bound) === null) pass.draft.signal('run', bound.runId);
}

/** A planned instance takes on the machine that was made for it. */
export function promote(draft: Draft, instance: InstanceRecord, created: Created): InstanceRecord {
  return moveInstance(draft, instance, 'provisioning', {
    backend: created.offer.backend,
    region: created.offer.region,
    price: created.offer.price,
    offer: created.offer,
    provisioningData: created.provisioningData,
    hostId: created.hostId,
    totalBlocks: instance.totalBlocks ?? created.offer.total_blocks ?? 1,
    startedAt: draft.now,
  });
}
