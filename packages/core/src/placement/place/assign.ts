/** Gives the jobs of a gang the slots that were chosen for them. */

import { capabilitiesOf, isServerHost } from '../../capabilities/capabilities.ts';
import { sameJson } from '../../compare/same.ts';
import type { Draft } from '../../draft/draft.ts';
import { instanceTarget, jobAssignedEvent, jobTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import {
  newInstance,
  occupyReserved,
  reserveInstance,
  runtimeDataFor,
  untriedIn,
} from '../../instances/index.ts';
import type {
  BackendName,
  ChargeRecord,
  DecisionContext,
  FleetRecord,
  Id,
  InstanceRecord,
  JobRecord,
  Offer,
  VolumeRecord,
} from '../../model/index.ts';
import { moveJob } from '../../moves/moves.ts';
import { DEFAULT_IDLE_FOR_RUN } from '../../status/index.ts';
import type { Slot } from './choose-fleet.ts';
import type { ExistingSlot } from './existing-instances.ts';
import type { NewSlot } from './new-capacity.ts';
import { triedOffers } from './new-capacity.ts';

/**
 * How long an instance created for a run stays without a job: null = forever, 0 = it ends with its
 * job. `idle_duration` is the smaller one of fleet and run; negative = off.
 */
function idleSecondsFor(
  backend: BackendName | null,
  profile: { readonly idle_duration?: number | null },
): number | null {
  if (capabilitiesOf(backend).container) return 0;
  const wanted = profile.idle_duration ?? DEFAULT_IDLE_FOR_RUN;
  return wanted < 0 ? null : wanted;
}

/** Gives a job a share of an existing instance; the job becomes `provisioning`. */
export function assignExisting(
  draft: Draft,
  job: JobRecord,
  slot: ExistingSlot,
  charge: ChargeRecord | null,
  ctx: DecisionContext,
): void {
  const reserved = reserveInstance(draft, slot.instance, slot.blocks);
  const claimed: JobRecord = { ...job, instanceId: reserved.id, claimedBlocks: slot.blocks };
  draft.event(jobAssignedEvent(claimed, reserved));
  const whole = reserved.offer ?? slot.offer;
  const runtime = runtimeDataFor(claimed, reserved, whole, ctx.settings);
  moveJob(draft, job, 'provisioning', {
    instanceId: reserved.id,
    claimedBlocks: slot.blocks,
    charge,
    provisioningData: reserved.provisioningData,
    runtimeData: { ...runtime, volume_names: namesOf(slot.volumes), offer: slot.offer },
    provisionedAt: ctx.now,
    ...PLACED,
  });
  draft.useVolumes(job.id, slot.volumes);
  occupyReserved(draft, reserved);
}

interface NewPlace {
  readonly fleet: FleetRecord;
  readonly instanceNum: number;
  /** The compute group that it is created in. */
  readonly groupId: Id | null;
  readonly charge: ChargeRecord | null;
}

/**
 * The offers from which all new instances of a gang are ordered together. Null if each is ordered
 * by itself: the backend does not group them, the offers differ, or there is only one instance.
 */
export function offersOfGroup(slots: readonly Slot[]): readonly Offer[] | null {
  const fresh = slots.filter((slot) => slot.kind === 'new');
  const [first, ...rest] = fresh.map((slot) => triedOffers(slot.offers));
  const backend = first?.[0]?.backend;
  if (!first || rest.length === 0 || backend === undefined) return null;
  if (!capabilitiesOf(backend).groupProvisioning) return null;
  return rest.every((offers) => sameJson(offers, first)) ? first : null;
}

function namesOf(volumes: readonly VolumeRecord[]): string[] {
  return volumes.map(({ name }) => name);
}

/** Plans an instance for a job and announces its creation; the job stays `submitted`. */
export function assignNew(
  draft: Draft,
  job: JobRecord,
  slot: NewSlot,
  where: NewPlace,
  ctx: DecisionContext,
): InstanceRecord {
  const instance = draft.instances.insert(placeholder(job, slot, where, ctx));
  const assigned = draft.jobs.set(job, {
    instanceId: instance.id,
    claimedBlocks: instance.busyBlocks,
    charge: where.charge,
    ...PLACED,
  });
  draft.event(
    recordEvent({
      action: 'instance.created',
      data: { why: 'job', status: instance.status },
      targets: [instanceTarget(instance), jobTarget(assigned)],
    }),
  );
  draft.event(jobAssignedEvent(assigned, instance));
  draft.useVolumes(job.id, slot.volumes);
  draft.announce(instance.id, {
    kind: 'instance.create',
    offers: triedOffers(slot.offers),
    maxTries: ctx.settings.maxOffersTried,
    totalOffers: slot.totalOffers,
    ...untriedIn(where.fleet),
  });
  draft.signal('instance', instance.id);
  return instance;
}

/** The job no longer waits for a place. */
const PLACED = { reclaim: null, refusal: null, waitingSince: null, reserved: null } as const;

/** The backend is certain only if it is `local`, whose limit also counts planned instances. */
function placeholder(
  job: JobRecord,
  slot: NewSlot,
  { fleet, instanceNum, groupId }: NewPlace,
  ctx: DecisionContext,
): InstanceRecord {
  const [first] = slot.offers;
  const local = first && isServerHost(first.backend) ? first : null;
  return {
    ...newInstance(fleet, { id: ctx.newId(), num: instanceNum, now: ctx.now }),
    backend: local?.backend ?? null,
    region: local?.region ?? '',
    provisioningJobId: job.id,
    groupId,
    // Reserves the GPUs of the offer.
    offer: local,
    totalBlocks: first?.total_blocks ?? 1,
    busyBlocks: first?.blocks ?? 1,
    requirements: slot.combined.requirements,
    profile: slot.combined.profile,
    idleSeconds: idleSecondsFor(first?.backend ?? null, slot.combined.profile),
  };
}
