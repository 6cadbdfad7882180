/** Whether an instance is what its fleet's present spec asks for. */

import { fleetRequirements } from '../fleet-spec/requirements.ts';
import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import { requirementsMatch } from '../offers/match.ts';
import { allowsBackend, hasWord } from '../offers/needs.ts';
import { mergedFleetProfile } from '../profile/merge.ts';

/** Hosts of one's own and machines that are not known yet always are. */
export function matchesFleet(instance: InstanceRecord, fleet: FleetRecord): boolean {
  const { offer } = instance;
  if (fleet.spec.configuration.ssh_config || offer === null) return true;
  const profile = mergedFleetProfile(fleet.spec);
  const { backends, regions, instance_types: types, availability_zones: zones } = profile;
  if (backends && !allowsBackend(backends, offer)) return false;
  if (regions && !hasWord(regions, offer.region)) return false;
  if (types && !hasWord(types, offer.instance.name)) return false;
  const zone = instance.provisioningData?.availability_zone;
  if (zones && zone && !hasWord(zones, zone)) return false;
  return requirementsMatch(fleetRequirements(fleet.spec), offer);
}

/** Sizes of a cloud fleet; null for one of the user's own hosts. `max` null = no limit. */
export function nodesOf(
  fleet: FleetRecord,
): { readonly min: number; readonly target: number; readonly max: number | null } | null {
  const nodes = fleet.spec.configuration.nodes;
  if (!nodes) return null;
  const { min, max } = nodes;
  return { min, target: nodes.target ?? min, max };
}
