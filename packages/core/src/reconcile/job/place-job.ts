/** A submitted job: it waits for a place, or for its machine to be created. */

import { sameJson } from '../../compare/same.ts';
import { instanceProvisionedEvent } from '../../events/events.ts';
import {
  adoptInstance,
  correctReservation,
  isOffered,
  type OfferedInstance,
  projectCapacity,
  runtimeDataFor,
} from '../../instances/index.ts';
import type { ChargeRecord, InstanceRecord, JobRecord, Offer } from '../../model/index.ts';
import { shareRate } from '../../pricing/index.ts';
import { chargeOf } from '../../quotas/index.ts';
import { asJobReason, CREATE_LIMIT, isInstancePending } from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import type { RunPass } from '../run/run-pass.ts';
import { endJob } from './end-job.ts';
import { volumesOfJob } from './run-volumes.ts';
import { awaitPlace } from './wait-for-place.ts';

const NO_CAPACITY = 'failed_to_start_due_to_no_capacity';

export function advanceSubmitted(pass: RunPass, job: JobRecord): void {
  if (job.instanceId === null) {
    awaitPlace(pass, job);
    return;
  }
  const instance = pass.instanceOf(job);
  if (instance === null) {
    endJob(pass, job, NO_CAPACITY, { message: 'The instance was removed before it was created' });
    return;
  }
  if (!isInstancePending(instance.status)) {
    endOrAdopt(pass, job, instance);
    return;
  }
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (create?.result?.kind === 'instance.created' && isOffered(create.result)) {
    const made = adoptInstance(pass.draft, instance, create.result);
    provisionJob(pass, job, made, create.result);
    return;
  }
  if (create?.result?.kind === 'no-capacity') {
    endJob(pass, job, NO_CAPACITY, { message: create.result.message });
  } else if (create?.result?.kind === 'refused') {
    const reason = asJobReason(create.result.reason) ?? NO_CAPACITY;
    endJob(pass, job, reason, { message: create.result.message });
  } else if (create?.state === 'failed') {
    endJob(pass, job, NO_CAPACITY, { message: create.error });
  } else {
    const until = silenceDeadline(pass.ctx, instance.createdAt, CREATE_LIMIT);
    if (pass.now < until) pass.draft.dueAt(until);
    else endJob(pass, job, NO_CAPACITY, { message: 'No instance was created within an hour' });
  }
}

/** The pass of the instance may have adopted the machine first. */
function endOrAdopt(pass: RunPass, job: JobRecord, instance: InstanceRecord): void {
  const create = pass.draft.lastIntent('instance.create', instance.id);
  const created = create?.result?.kind === 'instance.created' ? create.result : null;
  if (instance.provisioningData !== null && created !== null && isOffered(created)) {
    provisionJob(pass, job, instance, created);
    return;
  }
  endJob(pass, job, NO_CAPACITY, { message: instance.terminationMessage });
}

function provisionJob(
  pass: RunPass,
  job: JobRecord,
  instance: InstanceRecord,
  created: OfferedInstance,
): void {
  // The offers may be divided into different numbers of blocks.
  const total = instance.totalBlocks ?? 1;
  const claimedBlocks = Math.min(created.offer.blocks ?? job.claimedBlocks, total);
  const charge = chargeOfCreated(job, created.offer, claimedBlocks, total);
  const claimed = pass.draft.jobs.set(job, { claimedBlocks, charge });
  if (charge !== job.charge) {
    // The offer that was chosen may use less of a quota than the others that were tried.
    const { kind, id } = projectCapacity(job.projectId);
    pass.draft.signal(kind, id);
  }
  correctReservation(pass.draft, instance, { from: job.claimedBlocks, to: claimedBlocks });
  const bound = pass.moveJob(claimed, 'provisioning', {
    provisioningData: instance.provisioningData,
    provisionedAt: pass.now,
    runtimeData: {
      ...runtimeDataFor(claimed, instance, created.offer, pass.ctx.settings),
      volume_names: volumesOfJob(pass, job).map(({ name }) => name),
    },
  });
  for (const { volumeId } of volumesOfJob(pass, job)) pass.draft.signal('volume', volumeId);
  pass.draft.event(instanceProvisionedEvent(instance, bound));
  // The snapshot was loaded without the host, which may already be connected: run another pass.
  if (pass.hostOf(bound) === null) pass.draft.signal('run', bound.runId);
}

/** The claim of a new instance was charged the most that any of its offers uses. */
function chargeOfCreated(
  { charge }: JobRecord,
  offer: Offer,
  blocks: number,
  totalBlocks: number,
): ChargeRecord | null {
  if (charge === null) return null;
  const amounts = chargeOf(offer, blocks, totalBlocks);
  const weights = charge.share?.weights ?? {};
  const share = charge.share && {
    share: { weights, rate: shareRate(offer, { blocks, totalBlocks }, weights) },
  };
  const corrected = { ...charge, amounts, ...share };
  return sameJson(corrected, charge) ? charge : corrected;
}
