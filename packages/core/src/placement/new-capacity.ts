import type { Profile, Requirements } from '@dstack/contract/wire';
import type { BackendName, FleetRecord, Offer } from '../model/index.ts';
import { smallestShare, totalBlocksOf } from '../offers/blocks.ts';
import { type Combined, combineFleetAndRun, type Exclusion } from '../offers/combine.ts';
import { cutZones, unmetLocation, unmetNeed } from '../offers/needs.ts';
import type { NodeRequest } from './gang-request.ts';
import type { OffersWanted } from './offers-wanted.ts';

/** Where a machine is; jobs of a gang that spans machines share one. */
export interface Site {
  readonly backend: BackendName;
  readonly region: string;
}

/** What a new instance of a fleet for a node has to be, and the question to the backends for it. */
export interface NewCapacity {
  readonly combined: Combined;
  readonly question: OffersWanted;
}

/** A fleet that makes its own instances, as opposed to one of given SSH hosts. */
export function isElastic(fleet: FleetRecord): boolean {
  return fleet.spec.configuration.nodes != null;
}

export function newCapacityFor(
  fleet: FleetRecord,
  node: NodeRequest,
  profile: Profile,
): NewCapacity | { readonly excluded: Exclusion } {
  const divided = fleet.spec.configuration.blocks !== 1;
  const asked = divided ? withoutUpperBounds(node.requirements) : node.requirements;
  const combined = combineFleetAndRun(fleet.spec, asked, profile);
  if ('excluded' in combined) return combined;
  return { combined, question: offersQuestion(fleet.id, combined) };
}

export function offersQuestion(fleetId: string | null, combined: Combined): OffersWanted {
  const named = combined.profile.backends ?? null;
  // In configurations the server's own machine goes by the name of SSH hosts.
  const backends: BackendName[] | null =
    named && (named.includes('remote') ? [...named, 'local'] : [...named]);
  const { requirements } = combined;
  const key = `${fleetId ?? ''}:${JSON.stringify([requirements, backends])}`;
  return { key, fleetId, requirements, backends };
}

/** Only a part of the machine has to be as small as the run wants it. */
function withoutUpperBounds(requirements: Requirements): Requirements {
  const { cpu, memory, gpu } = requirements.resources;
  const open = <R extends { min: number | null }>(range: R): R => ({ ...range, max: null });
  return {
    ...requirements,
    resources: {
      ...requirements.resources,
      cpu: { ...cpu, count: open(cpu.count) },
      memory: open(memory),
      gpu: gpu && {
        ...gpu,
        // No GPU at all stays no GPU: a machine without any is cheaper than a share of none.
        count: gpu.count.max === 0 ? gpu.count : open(gpu.count),
        total_memory: gpu.total_memory && open(gpu.total_memory),
      },
    },
  };
}

/**
 * Those of the offers that can serve the node in a fleet of such `blocks`, each saying how it would
 * be divided and how many blocks the node takes. The order stays the backends'.
 */
export function usableOffers(
  offers: readonly Offer[],
  node: NodeRequest,
  combined: Combined,
  blocks: number | 'auto',
): Offer[] {
  return offers.flatMap((offer) => {
    if (unmetNeed(node.needs, offer) || unmetLocation(combined.profile, offer)) return [];
    const whole = cutZones(combined.profile, offer);
    const total = totalBlocksOf(offer, blocks);
    if (total === null) return [];
    if (total === 1) return [{ ...whole, blocks: 1, total_blocks: 1 }];
    const share = smallestShare(node.requirements, whole, total);
    return share ? [{ ...whole, blocks: share.blocks, total_blocks: total }] : [];
  });
}
