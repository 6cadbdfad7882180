/** Compares instances with the present spec of their fleet. */

import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import { isWithdrawn } from '../offers/local-limits.ts';
import { requirementsMatch } from '../offers/match.ts';
import { unmetLocation } from '../offers/needs.ts';
import { fleetRequirements } from '../profile/fleet-requirements.ts';
import { mergedFleetProfile } from '../profile/merge.ts';

type MatchedInstance = Pick<InstanceRecord, 'offer' | 'provisioningData'>;

/**
 * Whether the instance satisfies its fleet's present spec. SSH hosts and instances without a known
 * machine always do. An instance of the server host does not if its project may no longer run jobs
 * there.
 */
export function matchesFleet(instance: MatchedInstance, fleet: Pick<FleetRecord, 'spec'>): boolean {
  return fleetMatcher(fleet)(instance);
}

/** `matchesFleet` for many instances of one fleet: its spec is merged once. */
export function fleetMatcher({
  spec,
}: Pick<FleetRecord, 'spec'>): (instance: MatchedInstance) => boolean {
  if (spec.configuration.ssh_config) return () => true;
  const { availability_zones: zones, ...profile } = mergedFleetProfile(spec);
  const requirements = fleetRequirements(spec);
  return ({ offer, provisioningData }) => {
    if (offer === null) return true;
    if (isWithdrawn(offer) || unmetLocation(profile, offer) !== null) return false;
    const zone = provisioningData?.availability_zone;
    const placed = zone ? { ...offer, availability_zones: [zone] } : null;
    if (placed && unmetLocation({ availability_zones: zones }, placed)) return false;
    return requirementsMatch(requirements, offer);
  };
}

/** Sizes of a fleet that creates its instances; null for a fleet of SSH hosts. `max` null = no limit. */
export function nodesOf(
  fleet: Pick<FleetRecord, 'spec'>,
): { readonly min: number; readonly target: number; readonly max: number | null } | null {
  const nodes = fleet.spec.configuration.nodes;
  if (!nodes) return null;
  const { min, max } = nodes;
  return { min, target: nodes.target ?? min, max };
}
