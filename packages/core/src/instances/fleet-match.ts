/** Compares instances with the present spec of their fleet. */

import { fleetRequirements } from '../fleet-spec/requirements.ts';
import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import { isWithdrawn } from '../offers/local-limits.ts';
import { requirementsMatch } from '../offers/match.ts';
import { unmetLocation } from '../offers/needs.ts';
import { mergedFleetProfile } from '../profile/merge.ts';

/**
 * Whether the instance satisfies its fleet's present spec. SSH hosts and instances without a known
 * machine always do. An instance of the server host does not if its project may no longer run jobs
 * there.
 */
export function matchesFleet(
  instance: Pick<InstanceRecord, 'offer' | 'provisioningData'>,
  fleet: Pick<FleetRecord, 'spec'>,
): boolean {
  const { offer } = instance;
  if (fleet.spec.configuration.ssh_config || offer === null) return true;
  if (isWithdrawn(offer)) return false;
  const { availability_zones: zones, ...profile } = mergedFleetProfile(fleet.spec);
  if (unmetLocation(profile, offer) !== null) return false;
  const zone = instance.provisioningData?.availability_zone;
  if (
    zone &&
    unmetLocation({ availability_zones: zones }, { ...offer, availability_zones: [zone] })
  ) {
    return false;
  }
  return requirementsMatch(fleetRequirements(fleet.spec), offer);
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
