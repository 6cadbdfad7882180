import type { FleetConfiguration } from './fleet.ts';
import { PROFILE_KEYS, type Profile, type ProfileParams } from './profile.ts';

/**
 * A profile overridden by a configuration: each key that the configuration sets (anything but null)
 * replaces the profile's completely. Values are not combined, and an empty list counts as set. Keys
 * that the configuration's kind does not have keep the profile's value.
 */
export function mergeProfile(configuration: Partial<ProfileParams>, profile: Profile): Profile {
  const set = PROFILE_KEYS.filter((key) => (configuration[key] ?? null) !== null);
  return { ...profile, ...Object.fromEntries(set.map((key) => [key, configuration[key]])) };
}

/** The merged profile of a run, with the defaults of runs. */
export function mergeRunProfile(configuration: ProfileParams, profile: Profile): Profile {
  const merged = mergeProfile(configuration, profile);
  return { ...merged, creation_policy: merged.creation_policy ?? 'reuse-or-create' };
}

/** The merged profile of a fleet, limited to the keys of fleets. */
export function mergeFleetProfile(configuration: FleetConfiguration, profile: Profile): Profile {
  const merged = mergeProfile(configuration, profile);
  return {
    ...merged,
    spot_policy: merged.spot_policy ?? 'on-demand',
    retry: merged.retry ?? false,
  };
}
