/** A submitted job whose machine is being made: what became of it. */
import type { InstanceRecord, IntentResult, JobRecord } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { asJobReason, CREATE_LIMIT, isInstancePending, isPlaceholder } from '../status/index.ts';
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

/** A planned instance takes on the machine that was made for it. */
export function promote(draft: Draft, instance: InstanceRecord, created: Created): InstanceRecord {
  const machine = machineOf(instance, created);
  return moveInstance(draft, instance, 'provisioning', { ...machine, startedAt: draft.now });
}

/**
 * What the worker's result says of the machine. Placement chose the blocks of each offer for its
 * job; an instance that a fleet planned is divided as the fleet says (null = `auto`).
 */
export function machineOf(instance: InstanceRecord, created: Created): Partial<InstanceRecord> {
  const { offer, provisioningData, hostId } = created;
  const { backend, region, price } = offer;
  const planned = instance.totalBlocks ?? totalBlocksOf(offer, 'auto');
  const totalBlocks = isPlaceholder(instance) ? (offer.total_blocks ?? planned) : planned;
  return { backend, region, price, offer, provisioningData, hostId, totalBlocks: totalBlocks ?? 1 };
}
