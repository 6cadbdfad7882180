import type { FleetSpec, Requirements } from '@dstack/contract/wire';
import { capabilitiesOf } from '../capabilities/capabilities.ts';
import { nextBlocks } from '../instances/index.ts';
import type { InstanceRecord, Offer } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import { type ListingOptions, listOffers, type OfferListing } from '../offers/listing.ts';
import { cutZones, needsOfRequirements, unmetLocation, unmetNeed } from '../offers/needs.ts';
import type { OffersWanted } from '../placement/place/new-capacity.ts';
import { offersQuestion } from '../placement/place/new-capacity.ts';
import { fleetRequirements } from '../profile/fleet-requirements.ts';
import { mergedFleetProfile } from '../profile/merge.ts';

/**
 * The question for the offers that the fleet's instances can be created from; null for a fleet of
 * SSH hosts.
 */
export function fleetWantsOffers(spec: FleetSpec): OffersWanted | null {
  if (spec.configuration.nodes == null) return null;
  const requirements: Requirements = fleetRequirements(spec);
  return offersQuestion(null, { requirements, profile: mergedFleetProfile(spec) });
}

/**
 * The offers that the fleet's instances can be created from, each with its division into blocks.
 * Only some backends create instances without a job; a fleet that plans none itself may use the
 * others too.
 */
export function fleetOffers(spec: FleetSpec, offers: readonly Offer[]): Offer[] {
  const profile = mergedFleetProfile(spec);
  const { nodes, blocks } = spec.configuration;
  const bare = (nodes?.target ?? nodes?.min ?? 0) > 0;
  const needs = needsOfRequirements(fleetRequirements(spec));
  return offers.flatMap((offer) => {
    if (bare && !capabilitiesOf(offer.backend).createInstance) return [];
    if (unmetNeed(needs, offer) || unmetLocation(profile, offer)) return [];
    const total = totalBlocksOf(offer, blocks ?? 1);
    return total === null ? [] : [{ ...cutZones(profile, offer), total_blocks: total }];
  });
}

/** Offers of a fleet's plan: the first 50, counted over all. */
export function planFleet(
  spec: FleetSpec,
  offers: readonly Offer[],
  options: ListingOptions = {},
): OfferListing {
  return listOffers(spec.configuration.nodes == null ? [] : fleetOffers(spec, offers), options);
}

/** A fleet may have a thousand hosts. */
const MOST_NAMED = 3;

/** What the update does not do at once, and what the user can do about that. */
export function fleetNotes(instances: readonly InstanceRecord[], spec: FleetSpec): string[] {
  const names = instances
    .filter((one) => one.busyBlocks > 0 && nextBlocks(one, spec) !== null)
    .map(({ name }) => name);
  if (names.length === 0) return [];
  const [first] = names;
  const more = names.length - MOST_NAMED;
  const named = names.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
  const gets = names.length === 1 ? 'gets its new `blocks`' : 'get their new `blocks`';
  return [
    `${named} ${gets} once no job runs there; \`dstack instance cordon ${first}\` keeps new jobs away until then, and \`dstack instance drain ${first}\` also has those there leave`,
  ];
}
