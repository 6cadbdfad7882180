import type { BackendSettings } from '@dstack/contract';
import type { JobSpec, Profile, Requirements } from '@dstack/contract/wire';
import {
  capabilitiesOf,
  configuredBackendName,
  isServerHost,
  LOCAL_PROCESS_INSTANCE,
} from '../capabilities/capabilities.ts';
import type { Offer } from '../model/index.ts';
import type { JobNeeds } from './job-needs.ts';
import { localRefusal } from './local-limits.ts';
import { isLoopbackImage } from './loopback-image.ts';
import { equalsIgnoringCase } from './match.ts';
import { slurmNeeds, slurmRefusal } from './slurm-limits.ts';

/** Where a profile allows a job or an instance; null = anywhere. */
export type Location = Partial<
  Pick<Profile, 'backends' | 'regions' | 'availability_zones' | 'instance_types'>
>;

/** A need that a kind of machine does not meet, named as in configurations. */
export type NeedName =
  | 'nodes'
  | 'privileged'
  | 'docker'
  | 'volumes'
  | 'reservation'
  | 'registry_auth'
  | 'image'
  | 'partition'
  | 'constraint'
  | 'qos';

export const NO_NEEDS: JobNeeds = {
  multinode: false,
  privileged: false,
  instanceMounts: false,
  reservation: false,
  dind: false,
  namedVolumes: false,
  registryAuth: false,
};

/** Needs that the configuration of a run has and its job spec does not keep. */
export interface RunNeeds {
  /** `docker: true`. */
  readonly dind: boolean;
  readonly settings: BackendSettings | null;
  /** The image that the configuration names; null = one of the server's. */
  readonly image: string | null;
}

export function needsOf(spec: JobSpec, { dind, settings, image }: RunNeeds): JobNeeds {
  const volumes = spec.volumes ?? [];
  const slurm = slurmNeeds(settings);
  return {
    multinode: spec.requirements.multinode ?? false,
    privileged: spec.privileged,
    instanceMounts: volumes.some((mount) => 'instance_path' in mount && !mount.optional),
    reservation: Boolean(spec.requirements.reservation),
    dind,
    namedVolumes: volumes.some((mount) => 'name' in mount),
    registryAuth: spec.registry_auth != null,
    ...(image !== null && isLoopbackImage(image) && { loopbackImage: true as const }),
    ...(slurm && { slurm }),
  };
}

/**
 * The need that an offer's kind of machine does not meet, as people name it, or null. Features of
 * containers do not exist without containers (`local-process`).
 */
export function unmetNeed(needs: JobNeeds, offer: Offer): NeedName | null {
  const capabilities = capabilitiesOf(offer.backend);
  if (needs.multinode && !capabilities.multinode) return 'nodes';
  if (isServerHost(offer.backend) && offer.instance.name === LOCAL_PROCESS_INSTANCE) {
    const unmet = withoutContainers(needs);
    if (unmet) return unmet;
  }
  const refused = localRefusal(needs, offer);
  if (refused) return refused.need;
  if (needs.privileged && !capabilities.privileged) return needs.dind ? 'docker' : 'privileged';
  if (needs.namedVolumes && !capabilities.volumes) return 'volumes';
  if (needs.instanceMounts && !capabilities.instanceMounts) return 'volumes';
  if (needs.reservation && !capabilities.reservations) return 'reservation';
  return slurmRefusal(needs, offer)?.need ?? null;
}

function withoutContainers(needs: JobNeeds): NeedName | null {
  if (needs.dind) return 'docker';
  if (needs.privileged) return 'privileged';
  return needs.registryAuth ? 'registry_auth' : null;
}

/** The first location property the offer fails, or null. Only backends are compared with case. */
export function unmetLocation(location: Location, offer: Offer): keyof Location | null {
  const { backends, regions, instance_types: types, availability_zones: zones } = location;
  if (backends && !allowsBackend(backends, offer)) return 'backends';
  if (regions && !includesIgnoringCase(regions, offer.region)) return 'regions';
  if (types && !includesIgnoringCase(types, offer.instance.name)) return 'instance_types';
  if (zones && zonesIn(zones, offer).length === 0) return 'availability_zones';
  return null;
}

const LOCATIONS = ['backends', 'regions', 'instance_types', 'availability_zones'] as const;

/** Every location property the offer fails. */
export function unmetLocations(location: Location, offer: Offer): (keyof Location)[] {
  return LOCATIONS.filter((one) => unmetLocation({ [one]: location[one] }, offer) !== null);
}

/** The offer with only those of its zones that are allowed. */
export function cutZones(location: Location, offer: Offer): Offer {
  const zones = location.availability_zones;
  return zones ? { ...offer, availability_zones: zonesIn(zones, offer) } : offer;
}

export function includesIgnoringCase(words: readonly string[], word: string): boolean {
  return words.some((candidate) => equalsIgnoringCase(candidate, word));
}

export function allowsBackend(
  backends: readonly string[],
  { backend }: Pick<Offer, 'backend'>,
): boolean {
  return capabilitiesOf(backend).marketplace || backends.includes(configuredBackendName(backend));
}

function zonesIn(zones: readonly string[], offer: Offer): string[] {
  return (offer.availability_zones ?? []).filter((zone) => includesIgnoringCase(zones, zone));
}

/** A reservation in the requirements needs a backend that supports reservations; see `JobNeeds`. */
export function needsOfRequirements(requirements: Requirements): JobNeeds {
  return {
    ...NO_NEEDS,
    multinode: requirements.multinode ?? false,
    reservation: Boolean(requirements.reservation),
  };
}
