/** A planned instance until its agent connects. */

import { capabilitiesOf, isServerHost } from '../../capabilities/capabilities.ts';
import { instanceTarget } from '../../events/events.ts';
import { recordEvent } from '../../events/record-event.ts';
import {
  AGENT_INSTALLATION,
  adoptHandle,
  adoptInstance,
  CONNECTING,
  describeInstance,
  isOffered,
  type OfferedInstance,
  ORDERED,
  startInstance,
  untriedIn,
} from '../../instances/index.ts';
import type { HostRecord, IntentRecord, Offer } from '../../model/index.ts';
import { totalBlocksOf } from '../../offers/blocks.ts';
import { LOCAL_SLOTS } from '../../offers/local-limits.ts';
import { CREATE_NUDGE, HOST_ADD_LIMIT } from '../../status/index.ts';
import { withoutAmount } from '../../status/texts.ts';
import { silenceDeadline } from '../../time/silence.ts';
import { provisioningDeadline, provisioningFailure } from './engine-queue.ts';
import { followLoss } from './instance-loss.ts';
import type { InstancePass } from './instance-pass.ts';

/** `pending`: a placeholder, a planned instance, or an SSH host that is being added. */
export function advancePlanned(pass: InstancePass): void {
  if (pass.instance.handle !== null) {
    advanceUndescribed(pass);
    return;
  }
  // The run's pass adopts an instance created for its job; this pass only unclaimed ones.
  if (pass.hasJobs) return;
  const create = pass.draft.lastIntent('instance.create', pass.instance.id);
  if (create === null) withoutCreation(pass);
  else followCreation(pass, create);
}

/** Gives up a placeholder without an order; orders a planned instance. */
function withoutCreation(pass: InstancePass): void {
  if (pass.instance.provisioningJobId !== null) {
    pass.giveUp('no_offers', null);
    return;
  }
  const { maxOffersTried } = pass.ctx.settings;
  pass.draft.announce(pass.instance.id, {
    kind: 'instance.create',
    offers: [],
    maxTries: maxOffersTried,
    totalOffers: 0,
    ...untriedIn(pass.snapshot.fleet),
  });
}

function followCreation(pass: InstancePass, create: IntentRecord): void {
  const { result } = create;
  if (result?.kind === 'instance.created' && !isOffered(result)) {
    adoptHandle(pass.draft, pass.instance, result);
  } else if (result?.kind === 'instance.created' && !hasLocalSlot(pass, result)) {
    const max = localSlotsOf(pass, result);
    // There is no machine to terminate: an instance of this backend is a slot of the server host.
    const limit = `${max} (DSTACK_LOCAL_MAX_INSTANCES)`;
    pass.giveUp('no_offers', `The server's machine has as many instances as it may: ${limit}`);
  } else if (result?.kind === 'instance.created') {
    adoptInstance(pass.draft, pass.instance, result);
    // The snapshot was loaded without the host. An agent that serves other instances too may be
    // connected; to one of its own, a link is opened only after this pass.
    if (result.hostId !== pass.instance.id) pass.draft.signal('instance', pass.instance.id);
  } else if (result?.kind === 'no-capacity') {
    pass.giveUp('no_offers', result.message);
  } else if (create.state === 'failed' || result?.kind === 'refused') {
    pass.giveUp('error', result?.kind === 'refused' ? result.message : create.error);
  } else {
    // An instance that waits for the master of its cluster is not needed without its job.
    if (pass.instance.provisioningJobId !== null) withdrawUntried(pass, create);
    nudgeCreation(pass, create);
  }
}

/** Drops an order that is no longer needed, if no backend has been asked yet. */
export function withdrawUntried(pass: InstancePass, { key, payload }: IntentRecord): void {
  if (payload.kind === 'instance.create' && payload.untried) pass.draft.signal('intent', key);
}

/** Slots of a server's machine belong to no fleet: other projects may have taken the last one. */
function hasLocalSlot(pass: InstancePass, created: OfferedInstance): boolean {
  const { local } = pass.snapshot;
  if (!isServerHost(created.offer.backend) || local === null) return true;
  pass.draft.checkLocal(local);
  return local.instances < localSlotsOf(pass, created);
}

/** The limit of the server that created it, which may be another one than this. */
function localSlotsOf({ ctx }: InstancePass, { offer }: OfferedInstance): number {
  const slots = offer.backend_data[LOCAL_SLOTS];
  return typeof slots === 'number' ? slots : ctx.settings.localMaxInstances;
}

/**
 * Never gives up, because a machine may still appear; signals the worker again from time to time.
 */
export function nudgeCreation(pass: InstancePass, create: IntentRecord): void {
  const waited = Math.max(0, pass.now - create.updatedAt);
  const rounds = Math.floor(waited / CREATE_NUDGE);
  if (rounds > 0) pass.draft.signal('intent', create.key);
  pass.draft.dueAt(create.updatedAt + (rounds + 1) * CREATE_NUDGE);
}

/**
 * An instance that was adopted without an offer (an SSH host): its agent connects first and reports
 * its facts, then its backend describes it.
 */
function advanceUndescribed(pass: InstancePass): void {
  const { host, observation } = pass;
  if (host?.failed) {
    pass.giveUp('error', host.error);
    return;
  }
  if (followLoss(pass)) return;
  if (observation?.observation.state === 'ready' && observation.observation.machine) {
    describeInstance(pass.draft, pass.instance, observation.observation.machine);
  }
  const until = silenceDeadline(pass.ctx, pass.instance.createdAt, HOST_ADD_LIMIT);
  if (host?.connected && pass.instance.provisioningData !== null) {
    arrive(pass, host);
  } else if (pass.now >= until) {
    const message = host?.error ?? 'The host could not be added within 10 minutes';
    pass.giveUp('provisioning_timeout', message);
  } else {
    // Its backend needs the facts that the agent has reported.
    if (host?.connected) pass.draft.signal('observation', pass.instance.id);
    // Users need the cause to repair the host.
    pass.set({ terminationMessage: host?.error ?? null });
    pass.draft.dueAt(until);
  }
}

/** `provisioning`: in service once its backend reports it as ready and its agent connects. */
export function advanceProvisioning(pass: InstancePass): void {
  if (followLoss(pass)) return;
  followReadiness(pass);
  const { instance, host } = pass;
  if (host?.failed) {
    pass.end('error', host.error);
    return;
  }
  if (host?.connected && instance.provisioningData?.hostname) {
    arrive(pass, host);
    return;
  }
  const about = { ...pass.snapshot, instance };
  const until = provisioningDeadline(about, pass.ctx);
  if (pass.now < until) {
    reportStage(pass);
    pass.draft.dueAt(until);
    return;
  }
  pass.end('provisioning_timeout', provisioningFailure(about, stageOf(pass)));
}

/** Records the address, which jobs of the instance need as well. */
function followReadiness(pass: InstancePass): void {
  const observation = pass.observation?.observation;
  if (observation?.state !== 'ready' || observation.machine === null) return;
  if (pass.instance.provisioningData?.hostname) return;
  describeInstance(pass.draft, pass.instance, observation.machine);
  pass.signalRuns();
}

/** Shown with the instance; each new stage of its backend, and each of the way to its agent, is an event once. */
function reportStage(pass: InstancePass): void {
  const { instance } = pass;
  const stage = stageOf(pass);
  if (stage === instance.terminationMessage) return;
  if (stage !== null && isNewStage(pass, stage)) {
    pass.draft.event(
      recordEvent({
        action: 'instance.provisioning',
        data: { stage: withoutAmount(stage) },
        targets: [instanceTarget(instance)],
      }),
    );
  }
  pass.set({ terminationMessage: stage });
  pass.signalRuns();
}

/** `ordered` is the event of the instance's change of status. */
function isNewStage({ instance, observation }: InstancePass, stage: string): boolean {
  const before = instance.terminationMessage;
  if (before !== null && withoutAmount(before) === withoutAmount(stage)) return false;
  if (stage === CONNECTING) return true;
  const isOfBackend = observation?.error === null && observation.observation.state === 'pending';
  return (isOfBackend && stage !== ORDERED) || isInstallation(stage, before);
}

/** The later stages of the installation repeat until the machine answers, so they are not an event each time. */
const isInstallation = (stage: string, before: string | null): boolean =>
  stage.includes(AGENT_INSTALLATION) && before?.includes(AGENT_INSTALLATION) !== true;

/** The stage of the creation, or what delays it, for people; null = nothing was reported. */
export function stageOf({
  instance,
  host,
  observation,
}: Pick<InstancePass, 'instance' | 'host' | 'observation'>): string | null {
  if (observation?.error) return observation.error;
  const isOrdered = capabilitiesOf(instance.backend).owner === 'provider';
  const first = isOrdered ? ORDERED : null;
  if (observation?.observation.state === 'pending') return observation.observation.text || first;
  if (host?.error) return host.error;
  return observation === null ? first : CONNECTING;
}

function arrive(pass: InstancePass, host: HostRecord): void {
  const { instance } = pass;
  const totalBlocks = instance.totalBlocks ?? blocksOf(instance.offer);
  if (totalBlocks === null) {
    const message = 'The CPUs and GPUs of the host do not divide evenly into its blocks';
    pass.giveUp('error', message);
    return;
  }
  pass.set({ terminationMessage: null });
  startInstance(pass.draft, pass.instance, { host, totalBlocks, hasJobs: pass.hasJobs });
  pass.signalRuns();
}

/** Resolves `blocks: auto` with the known machine. */
function blocksOf(offer: Offer | null): number | null {
  return offer === null ? 1 : totalBlocksOf(offer, 'auto');
}
