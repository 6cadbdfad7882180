/** A volume until it can be mounted. */

import { MISSING_TOLERANCE } from '../../instances/index.ts';
import type { VolumeHost, VolumeObservation } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import {
  isFleetActive,
  isInstanceActive,
  isInstanceAvailable,
  VOLUME_CREATE_LIMIT,
  VOLUME_PROVISION_LIMIT,
} from '../../status/index.ts';
import { silenceDeadline } from '../../time/silence.ts';
import { externalIdOf } from '../../volume-spec/prepare.ts';
import type { VolumePass } from './volume-pass.ts';

/** Delay between two checks whether a host that could hold the volume has connected. */
const HOST_DELAY = 5 * SECOND;

/** `submitted`: orders the volume, or waits for the backend to take the order. */
export function advanceSubmitted(pass: VolumePass): void {
  const { order, snapshot, volume } = pass;
  if (!snapshot.backendConfigured) {
    pass.fail(missingBackend(pass));
    return;
  }
  if (order?.result?.kind === 'volume.created') {
    pass.set({ handle: order.result.handle });
    pass.move('provisioning');
    pass.draft.signal('volume-observation', volume.id);
  } else if (order?.result?.kind === 'refused') {
    pass.fail(order.result.message);
  } else if (order?.state === 'failed') {
    pass.fail(order.error ?? 'its order failed');
  } else if (order === null) {
    orderVolume(pass);
  } else {
    waitUntilCreated(pass, 'The backend did not answer within 10 minutes');
  }
}

function missingBackend({ snapshot, volume, isOnHosts }: VolumePass): string {
  if (isOnHosts) return 'Its fleet was deleted';
  return `Backend ${volume.backend} is not configured in project ${snapshot.projectName}`;
}

function waitUntilCreated(pass: VolumePass, message: string, again?: number): void {
  const until = silenceDeadline(pass.draft, pass.volume.createdAt, VOLUME_CREATE_LIMIT);
  if (pass.now >= until) pass.fail(message);
  else pass.draft.dueAt(Math.min(until, again ?? until));
}

function orderVolume(pass: VolumePass): void {
  const { volume, draft, snapshot } = pass;
  if (volume.external) {
    const externalId = externalIdOf(volume.configuration).id ?? '';
    draft.announce(volume.id, { kind: 'volume.register', externalId });
    return;
  }
  const { fleet } = snapshot;
  if (fleet !== null && !isFleetActive(fleet.status)) {
    pass.fail('Its fleet is being deleted');
    return;
  }
  const path = fleet?.spec.configuration.shared_volumes_path ?? null;
  if (pass.isOnHosts && path === null && volume.hostId === null) {
    const host = chooseHost(pass);
    if (host === null) return;
    pass.set({ hostId: host.hostId });
    if (host.instance !== null) draft.checkInstance(host.instance);
  }
  // Neither fleet nor host may be leaving at the moment when it is written that they hold the volume.
  if (fleet !== null) draft.checkFleet(fleet);
  draft.announce(volume.id, { kind: 'volume.create', path, begun: false });
}

/**
 * The host that gets the directory: the named one, else the connected one with the most free space.
 * It is stored with the order, so that a repeated order goes to the same host. Null: no host is
 * suitable yet. A host that is being added may still be refused, and would leave with the data.
 */
function chooseHost(pass: VolumePass): VolumeHost | null {
  const hosts = pass.snapshot.hosts.filter(stays);
  const zone = zoneOf(pass);
  const possible = zone === null ? hosts : hosts.filter(({ name }) => name === zone);
  if (zone !== null && possible.length === 0) {
    pass.fail(`Its fleet has no instance ${zone}`);
    return null;
  }
  const [best] = possible
    .filter((host) => host.connected && isInService(host))
    .sort((a, b) => b.freeBytes - a.freeBytes || (a.name < b.name ? -1 : 1));
  if (best) return best;
  waitUntilCreated(pass, unreachableText(possible), pass.now + HOST_DELAY);
  return null;
}

const stays = ({ instance }: VolumeHost): boolean =>
  instance === null || isInstanceActive(instance.status);

const isInService = ({ instance }: VolumeHost): boolean =>
  instance === null || isInstanceAvailable(instance.status);

function unreachableText(hosts: readonly VolumeHost[]): string {
  const [first] = hosts;
  if (!first) return 'There is no host that could hold it';
  const state = isInService(first) ? 'is not connected' : 'is still being added';
  const why = first.error === null ? '' : ` (${first.error})`;
  return hosts.length === 1
    ? `Host ${first.name} ${state}${why}`
    : `None of its ${hosts.length} hosts can hold it yet: ${first.name} ${state}${why}`;
}

function zoneOf({ volume: { configuration } }: VolumePass): string | null {
  return 'availability_zone' in configuration ? (configuration.availability_zone ?? null) : null;
}

/** `provisioning`: the backend is creating it. */
export function advanceProvisioning(pass: VolumePass): void {
  const { observation: record } = pass.snapshot;
  const { statusChangedAt } = pass.volume;
  const until = silenceDeadline(pass.draft, statusChangedAt, VOLUME_PROVISION_LIMIT);
  const observation = record?.observation;
  if (observation?.state === 'ready') {
    becomeActive(pass, observation);
  } else if (observation?.state === 'failed') {
    pass.fail(observation.text);
  } else if (record && observation?.state === 'missing' && isMissing(pass, record.since)) {
    pass.fail('Its backend does not have it any more');
  } else if (pass.now >= until) {
    const why = record?.error ?? (observation?.state === 'pending' ? observation.text : '');
    pass.fail(`It was not ready within 20 minutes${why ? ` (${why})` : ''}`);
  } else {
    // A server that was killed may have lost the signal.
    if (record === null) pass.draft.signal('volume-observation', pass.volume.id);
    pass.draft.dueAt(until);
  }
}

/** A new volume may be missing for a moment. */
function isMissing(pass: VolumePass, since: number): boolean {
  const until = silenceDeadline(pass.draft, since, MISSING_TOLERANCE);
  if (pass.now >= until) return true;
  pass.draft.dueAt(until);
  return false;
}

function becomeActive(
  pass: VolumePass,
  observation: Extract<VolumeObservation, { readonly state: 'ready' }>,
): void {
  const { volume } = pass;
  const { sizeGib, availabilityZone, price, shared } = observation;
  pass.set({
    shared,
    provisioningData: {
      backend: volume.configuration.backend,
      volume_id: volume.handle?.id ?? '',
      size_gb: sizeGib === null ? null : Math.ceil(sizeGib),
      availability_zone: availabilityZone ?? pass.instance(volume.hostId)?.name ?? null,
      price,
      attachable: !pass.isOnHosts,
      detachable: !pass.isOnHosts,
      backend_data: null,
    },
  });
  pass.move('active');
}
