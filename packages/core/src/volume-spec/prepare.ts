import { hostVolumePlace, SERVER_HOST_PLACE } from '@dstack/contract';
import type { VolumeConfiguration } from '@dstack/contract/wire';
import { LOCAL_BACKEND, SSH_HOST_BACKEND } from '../capabilities/capabilities.ts';
import type { BackendName, FleetRecord, Id } from '../model/index.ts';
import { nameError, type SpecError, specError } from '../run-spec/result.ts';
import { isFleetActive } from '../status/index.ts';

export interface VolumeContext {
  /** Fleets of the project itself. */
  readonly fleetNamed: (name: string) => Pick<FleetRecord, 'id' | 'spec' | 'status'> | null;
  /** Why the project may not use the server's machine; null = it may. */
  readonly localOff: string | null;
}

export interface VolumeLocation {
  /** A volume on hosts is a Kubernetes volume on the wire only. */
  readonly backend: BackendName;
  /** The SSH fleet whose hosts hold it. */
  readonly fleetId: Id | null;
}

export type PreparedVolume =
  /** `external`: it registers a volume that exists already. */
  { readonly ok: true; readonly external: boolean } & VolumeLocation;

/** The prepared form of a volume's configuration, or the reason for refusing it. */
export function prepareVolume(
  configuration: VolumeConfiguration,
  context: VolumeContext,
): PreparedVolume | SpecError {
  const { name } = configuration;
  const wrongName = name === null ? null : nameError(name);
  if (wrongName) return wrongName;
  const place = placeOf(configuration, context);
  if ('ok' in place) return place;
  const { key, id } = externalIdOf(configuration);
  const needsSize = place.backend === configuration.backend && 'size' in configuration;
  if (needsSize && configuration.size === null && id === null) {
    return specError(`A volume needs \`size\`, or \`${key}\` of one that is there already`);
  }
  const cleanup = configuration.auto_cleanup_duration;
  if (id !== null && cleanup !== null && cleanup >= 0) {
    return specError('An external volume is never deleted: it cannot have `auto_cleanup_duration`');
  }
  return { ok: true, external: id !== null, ...place };
}

function placeOf(
  configuration: VolumeConfiguration,
  { fleetNamed, localOff }: VolumeContext,
): VolumeLocation | SpecError {
  const place = hostVolumePlace(configuration);
  const zone = ('availability_zone' in configuration && configuration.availability_zone) || null;
  const isClaim = 'claim_name' in configuration;
  if (place === null) {
    if (!isClaim || zone === null) return { backend: configuration.backend, fleetId: null };
    return specError('`availability_zone` of a Kubernetes volume is set by its storage class');
  }
  if (isClaim && (configuration.claim_name ?? configuration.storage_class_name) !== null) {
    return specError(
      '`claim_name` and `storage_class_name` are for volumes of Kubernetes clusters',
    );
  }
  if (place === SERVER_HOST_PLACE) {
    if (localOff !== null) return specError(`Volumes cannot be created there: ${localOff}`);
    if (zone !== null) return specError("The server's machine has no `availability_zone`");
    return { backend: LOCAL_BACKEND, fleetId: null };
  }
  const fleet = fleetNamed(place);
  if (fleet === null) return specError(`Fleet ${place} not found`, 'resource_not_exists');
  if (!isFleetActive(fleet.status)) {
    return specError(`Fleet ${place} is being deleted: it cannot hold a new volume`);
  }
  const { ssh_config: hosts, shared_volumes_path: path } = fleet.spec.configuration;
  if (!hosts) return specError(`Fleet ${place} has no SSH hosts, so it cannot hold volumes`);
  if (path && zone !== null) {
    return specError(
      `All hosts of fleet ${place} share its volumes: leave out \`availability_zone\``,
    );
  }
  return { backend: SSH_HOST_BACKEND, fleetId: fleet.id };
}

/** The key that names an existing volume, and its value. */
export function externalIdOf(configuration: VolumeConfiguration) {
  return 'claim_name' in configuration
    ? { key: 'claim_name', id: configuration.claim_name }
    : { key: 'volume_id', id: configuration.volume_id };
}
