import type {
  BackendName,
  DecisionContext,
  FleetRecord,
  InstanceRecord,
  JobRecord,
} from '../model/index.ts';
import { backendTraits } from '../offers/backend-features.ts';
import type { Draft } from '../reconcile/draft.ts';
import { instanceTarget, jobAssignedEvent, jobTarget, newEvent } from '../reconcile/events.ts';
import { moveInstance, moveJob } from '../reconcile/moves.ts';
import { runtimeDataFor } from '../reconcile/runtime-data.ts';
import { DEFAULT_IDLE_FOR_RUN, isInstanceIdle } from '../status/instance-status.ts';
import type { Board } from './board.ts';
import { triedOffers } from './new-seats.ts';
import type { Seat } from './seats.ts';

/**
 * How long an instance made for a run stays without a job: null = for ever, 0 = it ends with its
 * job. `idle_duration` is the smaller one of fleet and run, negative = off.
 */
export function idleSecondsFor(
  backend: BackendName,
  profile: { readonly idle_duration?: number | null },
): number | null {
  if (backendTraits(backend).container) return 0;
  const wanted = profile.idle_duration ?? DEFAULT_IDLE_FOR_RUN;
  return wanted < 0 ? null : wanted;
}

/** Gives a job a share of an instance that is there: it is provisioned at once. */
export function assignExisting(
  draft: Draft,
  job: JobRecord,
  seat: Extract<Seat, { kind: 'existing' }>,
  ctx: DecisionContext,
): void {
  const found = draft.instances.get(seat.instance.id) ?? seat.instance;
  const busyBlocks = found.busyBlocks + seat.blocks;
  const counted = draft.instances.set(found, { busyBlocks });
  const claimed: JobRecord = { ...job, instanceId: found.id, claimedBlocks: seat.blocks };
  draft.event(jobAssignedEvent(claimed, counted));
  const whole = found.offer ?? seat.offer;
  const runtime = runtimeDataFor(claimed, found, whole, ctx.settings);
  moveJob(draft, job, 'provisioning', {
    instanceId: found.id,
    claimedBlocks: seat.blocks,
    provisioningData: found.provisioningData,
    runtimeData: { ...runtime, volume_names: [], offer: seat.offer },
    provisionedAt: ctx.now,
  });
  if (isInstanceIdle(counted.status)) moveInstance(draft, counted, 'busy');
  draft.signal('instance', found.id);
}

/** Plans an instance for a job and announces its making; the job waits in `submitted`. */
export function assignNew(
  draft: Draft,
  board: Board,
  fleet: FleetRecord,
  job: JobRecord,
  seat: Extract<Seat, { kind: 'new' }>,
  ctx: DecisionContext,
): void {
  const planned = plannedInstance(board, fleet, job, seat, ctx);
  const instance = draft.instances.insert(planned);
  const assigned = draft.jobs.set(job, {
    instanceId: instance.id,
    claimedBlocks: instance.busyBlocks,
  });
  draft.event(
    newEvent(`Instance created for job. Instance status: ${instance.status.toUpperCase()}`, [
      instanceTarget(instance),
      jobTarget(assigned),
    ]),
  );
  draft.event(jobAssignedEvent(assigned, instance));
  draft.announce(instance.id, {
    kind: 'instance.create',
    offers: triedOffers(seat.offers),
    maxTries: ctx.settings.maxOffersTried,
    totalOffers: seat.totalOffers,
  });
  draft.signal('instance', instance.id);
}

/** Only `local` is certain before the backend has answered; its limit counts planned ones too. */
function plannedInstance(
  board: Board,
  fleet: FleetRecord,
  job: JobRecord,
  seat: Extract<Seat, { kind: 'new' }>,
  ctx: DecisionContext,
): InstanceRecord {
  const [first] = seat.offers;
  const local = first?.backend === 'local';
  const instanceNum = board.addInstance(fleet.id, first);
  return {
    id: ctx.newId(),
    projectId: fleet.projectId,
    fleetId: fleet.id,
    instanceNum,
    name: `${fleet.name}-${instanceNum}`,
    backend: local ? 'local' : null,
    region: local ? first.region : '',
    price: 0,
    status: 'pending',
    unreachable: false,
    health: 'healthy',
    provisioningJobId: job.id,
    // Its GPUs are taken from now on.
    offer: local ? first : null,
    provisioningData: null,
    totalBlocks: first?.total_blocks ?? 1,
    busyBlocks: first?.blocks ?? 1,
    requirements: seat.combined.requirements,
    profile: seat.combined.profile,
    idleSeconds: idleSecondsFor(first?.backend ?? 'remote', seat.combined.profile),
    hostId: null,
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt: ctx.now,
    startedAt: null,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: ctx.now,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
}
