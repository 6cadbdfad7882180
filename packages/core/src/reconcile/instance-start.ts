/** A planned instance until it is up. */

import { adoptMachine, startInstance } from '../instances/index.ts';
import type { HostRecord, IntentRecord, IntentResult, Offer } from '../model/index.ts';
import { SECOND } from '../model/records.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import {
  CREATE_NUDGE,
  HOST_ADD_LIMIT,
  isOwnHost,
  provisioningTimeoutSeconds,
} from '../status/index.ts';
import type { InstancePass } from './instance-pass.ts';

/** `pending`: a placeholder, a planned cloud machine, or a host that is being added. */
export function advancePlanned(pass: InstancePass): void {
  const { instance } = pass;
  if (isOwnHost(instance.backend)) {
    advanceOwnHost(pass);
    return;
  }
  // The run's pass takes what was made for its job; this one only what nobody claims.
  if (pass.hasJobs) return;
  const create = pass.draft.lastIntent('instance.create', instance.id);
  if (create === null) withoutCreation(pass);
  else followCreation(pass, create);
}

/** A placeholder that nothing was ordered for goes; a planned machine is ordered. */
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
  if (result?.kind === 'instance.created') {
    adoptMachine(pass.draft, pass.instance, result);
    pass.draft.signal('fleet', pass.instance.fleetId);
    // Its host was not known when this snapshot was loaded, and may have been connected for long.
    pass.draft.signal('instance', pass.instance.id);
  } else if (result?.kind === 'no-capacity') {
    pass.giveUp('no_offers', result.message);
  } else if (create.state === 'failed' || result?.kind === 'refused') {
    pass.giveUp('error', result?.kind === 'refused' ? result.message : create.error);
  } else {
    nudgeCreation(pass, create);
  }
}

/** A machine may be on its way, so this is never given up; but nor is its worker left asleep. */
export function nudgeCreation(pass: InstancePass, create: IntentRecord): void {
  const waited = Math.max(0, pass.now - create.updatedAt);
  const rounds = Math.floor(waited / CREATE_NUDGE);
  if (rounds > 0) pass.draft.signal('intent', create.key);
  pass.draft.dueAt(create.updatedAt + (rounds + 1) * CREATE_NUDGE);
}

/** The agent is brought there first; then it is up with its agent's first word. */
function advanceOwnHost(pass: InstancePass): void {
  const { instance, host } = pass;
  const deploy = pass.draft.lastIntent('host.deploy', instance.id);
  if (deploy === null) pass.draft.announce(instance.id, { kind: 'host.deploy' });
  if (deploy?.result?.kind === 'refused') {
    pass.giveUp('error', deploy.result.message);
    return;
  }
  if (deploy?.result?.kind === 'host.deployed') takeOnMachine(pass, deploy.result);
  const until = instance.createdAt + HOST_ADD_LIMIT;
  if (pass.instance.provisioningData !== null && host?.connected) {
    pass.set({ terminationMessage: null });
    arrive(pass, host);
  } else if (pass.now >= until) {
    const message = host?.error ?? 'The host could not be added within 10 minutes';
    pass.giveUp('provisioning_timeout', message);
  } else {
    // What it is waiting for is the only thing a user can act on.
    pass.set({ terminationMessage: host?.error ?? null });
    pass.draft.dueAt(until);
  }
}

function takeOnMachine(
  pass: InstancePass,
  { offer, provisioningData, totalBlocks }: Extract<IntentResult, { kind: 'host.deployed' }>,
): void {
  pass.set({ offer, provisioningData, totalBlocks, price: offer.price, region: offer.region });
}

/** `provisioning`: up with its agent's first word. */
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

/** `blocks: auto`, now that the machine is known. */
function blocksOf(offer: Offer | null): number | null {
  return offer === null ? 1 : totalBlocksOf(offer, 'auto');
}
