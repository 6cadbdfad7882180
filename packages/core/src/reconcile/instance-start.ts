/** A planned instance until its agent connects. */

import { adoptMachine, type CreatedMachine, startInstance } from '../instances/index.ts';
import type { HostRecord, IntentRecord, IntentResult, Offer } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import {
  CREATE_NUDGE,
  HOST_ADD_LIMIT,
  isSshHost,
  provisioningTimeoutSeconds,
} from '../status/index.ts';
import type { InstancePass } from './instance-pass.ts';

/** `pending`: a placeholder, a planned cloud machine, or an SSH host that is being added. */
export function advancePlanned(pass: InstancePass): void {
  const { instance } = pass;
  if (isSshHost(instance.backend)) {
    advanceOwnHost(pass);
    return;
  }
  // The run's pass adopts a machine created for its job; this pass only unclaimed ones.
  if (pass.hasJobs) return;
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (create === null) withoutCreation(pass);
  else followCreation(pass, create);
}

/** Gives up a placeholder without an order; orders the machine of a planned instance. */
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
  });
}

function followCreation(pass: InstancePass, create: IntentRecord): void {
  const { result } = create;
  if (result?.kind === 'instance.created' && !hasLocalSlot(pass, result)) {
    const { localMaxInstances: max } = pass.ctx.settings;
    // There is no machine to end: an instance of this backend is a slot of the server's.
    const limit = `${max} (DSTACK_LOCAL_MAX_INSTANCES)`;
    pass.giveUp('no_offers', `The server's machine has as many instances as it may: ${limit}`);
  } else if (result?.kind === 'instance.created') {
    adoptMachine(pass.draft, pass.instance, result);
    pass.draft.signal('fleet', pass.instance.fleetId);
    // The snapshot was loaded without the host, which may already be connected: run another pass.
    pass.draft.signal('instance', pass.instance.id);
  } else if (result?.kind === 'no-capacity') {
    pass.giveUp('no_offers', result.message);
  } else if (create.state === 'failed' || result?.kind === 'refused') {
    pass.giveUp('error', result?.kind === 'refused' ? result.message : create.error);
  } else {
    nudgeCreation(pass, create);
  }
}

/** Slots of the server's machine belong to no fleet: other projects may have taken the last one. */
function hasLocalSlot({ snapshot, ctx, draft }: InstancePass, created: CreatedMachine): boolean {
  const { local } = snapshot;
  if (created.offer.backend !== 'local' || local === null) return true;
  draft.checkLocal(local.localState);
  return local.localInstances < ctx.settings.localMaxInstances;
}

/** Never gives up, because a machine may still appear; signals the worker again from time to time. */
export function nudgeCreation(pass: InstancePass, create: IntentRecord): void {
  const waited = Math.max(0, pass.now - create.updatedAt);
  const rounds = Math.floor(waited / CREATE_NUDGE);
  if (rounds > 0) pass.draft.signal('intent', create.key);
  pass.draft.dueAt(create.updatedAt + (rounds + 1) * CREATE_NUDGE);
}

/** The agent is deployed first; the instance is in service once it connects. */
function advanceOwnHost(pass: InstancePass): void {
  const { instance, host } = pass;
  const deploy = pass.draft.lastIntent('host.deploy', instance.id);
  if (deploy === null) pass.draft.announce(instance.id, { kind: 'host.deploy' });
  if (deploy?.result?.kind === 'refused') {
    pass.giveUp('error', deploy.result.message);
    return;
  }
  if (deploy?.result?.kind === 'host.deployed') adoptHost(pass, deploy.result);
  const until = instance.createdAt + HOST_ADD_LIMIT;
  if (pass.instance.provisioningData !== null && host?.connected) {
    pass.set({ terminationMessage: null });
    arrive(pass, host);
  } else if (pass.now >= until) {
    const message = host?.error ?? 'The host could not be added within 10 minutes';
    pass.giveUp('provisioning_timeout', message);
  } else {
    // Users need the cause to repair the host.
    pass.set({ terminationMessage: host?.error ?? null });
    pass.draft.dueAt(until);
  }
}

function adoptHost(
  pass: InstancePass,
  { offer, provisioningData, totalBlocks }: Extract<IntentResult, { kind: 'host.deployed' }>,
): void {
  pass.set({ offer, provisioningData, totalBlocks, price: offer.price, region: offer.region });
}

/** `provisioning`: in service once its agent connects. */
export function advanceProvisioning(pass: InstancePass): void {
  const { instance, host } = pass;
  if (host?.connected) {
    arrive(pass, host);
    return;
  }
  const type = instance.offer?.instance.name ?? '';
  const seconds = provisioningTimeoutSeconds(instance.backend, type);
  const until = (instance.startedAt ?? instance.statusChangedAt) + seconds * SECOND;
  if (pass.now < until) {
    pass.draft.dueAt(until);
    return;
  }
  const reason = host?.error ? ` (${host.error})` : '';
  pass.end('provisioning_timeout', `The agent did not come up in ${seconds / 60} minutes${reason}`);
}

function arrive(pass: InstancePass, host: HostRecord): void {
  const { instance } = pass;
  const totalBlocks = instance.totalBlocks ?? blocksOf(instance.offer);
  if (totalBlocks === null) {
    const message = 'The CPUs and GPUs of the host do not divide evenly into its blocks';
    pass.giveUp('error', message);
    return;
  }
  startInstance(pass.draft, instance, { host, totalBlocks, hasJobs: pass.hasJobs });
  pass.draft.signal('fleet', instance.fleetId);
  pass.signalRuns();
}

/** Resolves `blocks: auto` with the known machine. */
function blocksOf(offer: Offer | null): number | null {
  return offer === null ? 1 : totalBlocksOf(offer, 'auto');
}
