import type { FleetConfiguration } from './fleet.ts';
import { PROFILE_KEYS, type Profile, type ProfileParams } from './profile.ts';

/**
 * A profile with a configuration laid over it: each key that the configuration sets (anything but
 * null) replaces the profile's as a whole; nothing is joined, an empty list counts as set. Keys that
 * the configuration's kind does not have stay the profile's.
 */
export function mergeProfile(configuration: Partial<ProfileParams>, profile: Profile): Profile {
  const set = PROFILE_KEYS.filter((key) => (configuration[key] ?? null) !== null);
  return { ...profile, ...Object.fromEntries(set.map((key) => [key, configuration[key]])) };
}

/** Merged profile of a run, with the defaults that runs have. */
export function mergeRunProfile(configuration: ProfileParams, profile: Profile): Profile {
  const merged = mergeProfile(configuration, profile);
  return { ...merged, creation_policy: merged.creation_policy ?? 'reuse-or-create' };
}

/** Merged profile of a fleet: only the keys that fleets have take part. */
export function mergeFleetProfile(configuration: FleetConfiguration, profile: Profile): Profile {
  const merged = mergeProfile(configuration, profile);
  return {
    ...merged,
    spot_policy: merged.spot_policy ?? 'on-demand',
    retry: merged.retry ?? false,
  };
}
