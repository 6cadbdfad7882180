import type { FleetSpec, Profile, RunSpec } from '@dstack/contract/wire';

/** The keys of a profile that a configuration may also contain (`ProfileParams` of the wire). */
const PROFILE_KEYS = [
  'backends',
  'regions',
  'availability_zones',
  'instance_types',
  'reservation',
  'spot_policy',
  'retry',
  'max_duration',
  'stop_duration',
  'max_price',
  'creation_policy',
  'idle_duration',
  'utilization_policy',
  'startup_order',
  'stop_criteria',
  'schedule',
  'fleets',
  'instances',
  'tags',
  'backend_options',
] as const satisfies readonly (keyof Profile)[];

/** A profile without any value. */
export const EMPTY_PROFILE: Profile = {
  name: 'default',
  default: false,
  backends: null,
  regions: null,
  availability_zones: null,
  instance_types: null,
  reservation: null,
  spot_policy: null,
  retry: null,
  max_duration: null,
  stop_duration: null,
  max_price: null,
  creation_policy: null,
  idle_duration: null,
  utilization_policy: null,
  startup_order: null,
  stop_criteria: null,
  schedule: null,
  fleets: null,
  instances: null,
  tags: null,
  backend_options: null,
};

/**
 * The effective profile of a run: a value of the configuration replaces the profile's as a whole
 * (`false`, `"off"` and `[]` are values, null is not).
 */
export function mergedProfile(spec: Pick<RunSpec, 'profile' | 'configuration'>): Profile {
  const merged = overlay(spec.profile, spec.configuration);
  return { ...merged, creation_policy: merged.creation_policy ?? 'reuse-or-create' };
}

/** The same for a fleet; keys that its configuration lacks keep the profile's values. */
export function mergedFleetProfile(spec: Pick<FleetSpec, 'profile' | 'configuration'>): Profile {
  const merged = overlay(spec.profile, spec.configuration);
  return {
    ...merged,
    spot_policy: merged.spot_policy ?? 'on-demand',
    retry: merged.retry ?? false,
  };
}

function overlay(profile: Profile | null | undefined, configuration: object): Profile {
  const own = configuration as Partial<Profile>;
  const merged: Record<string, unknown> = { ...EMPTY_PROFILE, ...profile };
  for (const key of PROFILE_KEYS) {
    if (own[key] != null) merged[key] = own[key];
  }
  return merged as unknown as Profile;
}
