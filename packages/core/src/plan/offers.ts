import { SSH_HOST_BACKEND } from '../capabilities/capabilities.ts';
import type { FleetRecord, InstanceRecord, Offer } from '../model/index.ts';
import { shareOffer } from '../offers/blocks.ts';
import type { Combined } from '../offers/combine.ts';
import type { PoolOffer } from '../offers/pool.ts';
import type { GangRequest, NodeRequest } from '../placement/gang-request.ts';
import type { CapacityLedger } from '../placement/place/capacity-ledger.ts';
import { candidateFleets, viewPool } from '../placement/place/choose-fleet.ts';
import { busy, dependsOnInstance, poolOffer } from '../placement/place/existing-instances.ts';
import { mountableOffers } from '../placement/place/mounts.ts';
import {
  type Ask,
  newCapacityFor,
  newSlot,
  offersQuestion,
  usableOffers,
  whyNotGrow,
  whyNotLocal,
} from '../placement/place/new-capacity.ts';
import type { PlanOptions } from './input.ts';

/**
 * Existing instances first, then new ones, including busy and unavailable ones. There are many
 * existing ones and not every caller needs them, so they are computed on demand.
 */
export interface Found {
  readonly pool: () => readonly Offer[];
  readonly fresh: readonly Offer[];
  /** Null if no single fleet was chosen. */
  readonly fleet: FleetRecord | null;
}

/** Collects a job's offers as its request requires. */
export function findOffers(
  ledger: CapacityLedger,
  request: GangRequest,
  ask: Ask,
  options: PlanOptions,
): Found {
  const node = request.nodes[0];
  if (!node) return { pool: () => [], fresh: [], fleet: null };
  const selected = request.profile.instances != null;
  if (!options.forOffersOnly && !selected) {
    const fleet = planFleet(ledger, request, ask);
    return { fleet, ...offersIn(ledger, fleet ? [fleet] : [], node, request, ask, options) };
  }
  const fleets = candidateFleets(ledger, request);
  if (selected || request.profile.fleets) {
    return { fleet: null, ...offersIn(ledger, fleets, node, request, ask, options) };
  }
  const fresh = anywhere(ledger, node, request, ask);
  return { fleet: null, pool: () => poolOffers(ledger, fleets, node, request, options), fresh };
}

/** The fleet that the scheduler would choose, or the most promising one if none has room. */
function planFleet(ledger: CapacityLedger, request: GangRequest, ask: Ask): FleetRecord | null {
  const views = candidateFleets(ledger, request)
    .map((fleet) => viewPool(ledger, fleet, request))
    .filter((view) => view !== null);
  const sufficing = views.filter(
    (view) => view.suffices && ledger.windows.against(view.fleet, request) === null,
  );
  const open = views.filter(({ fleet }) => ledger.windows.against(fleet, request) === null);
  const eligible = sufficing.length > 0 ? sufficing : open.length > 0 ? open : views;
  let best: { fleet: FleetRecord; poolPrice: number; offerPrice: number } | null = null;
  for (const { fleet, candidates } of eligible) {
    const poolPrice = candidates[0]?.[0]?.offer.price ?? Infinity;
    const offerPrice = sufficing.length > 0 ? Infinity : cheapestNew(ledger, fleet, request, ask);
    const better =
      !best ||
      poolPrice < best.poolPrice ||
      (poolPrice === best.poolPrice && offerPrice < best.offerPrice);
    if (better) best = { fleet, poolPrice, offerPrice };
  }
  return best?.fleet ?? null;
}

function cheapestNew(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): number {
  const node = request.nodes[0];
  if (!node || whyNotGrow(ledger, fleet, 1, request)) return Infinity;
  const slot = newSlot(ledger, fleet, node, request, ask);
  return 'offers' in slot ? (slot.offers[0]?.price ?? Infinity) : Infinity;
}

function offersIn(
  ledger: CapacityLedger,
  fleets: readonly FleetRecord[],
  node: NodeRequest,
  request: GangRequest,
  ask: Ask,
  options: PlanOptions,
): Omit<Found, 'fleet'> {
  const fresh = fleets.flatMap((fleet) => freshOffers(ledger, fleet, node, request, ask));
  return {
    pool: () => poolOffers(ledger, fleets, node, request, options),
    fresh: fleets.length > 1 ? withoutTwins(fresh) : fresh,
  };
}

function poolOffers(
  ledger: CapacityLedger,
  fleets: readonly FleetRecord[],
  node: NodeRequest,
  request: GangRequest,
  options: PlanOptions,
): Offer[] {
  return fleets
    .flatMap((fleet) => existingOffers(ledger, fleet, node, request))
    .sort(
      (a, b) => a.offer.price - b.offer.price || a.instance.instanceNum - b.instance.instanceNum,
    )
    .map((found) => shown(ledger, found, options));
}

/** The offers of the instances of the fleet: of instances that are alike, one is examined. */
function existingOffers(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
): PoolOffer[] {
  const isByItself = dependsOnInstance(node, request);
  const isClosed = ledger.windows.against(fleet, request) !== null;
  return [...ledger.alikeIn(fleet.id)].flatMap(({ first, size }) =>
    first(isByItself ? size : 1).flatMap((sample) => {
      const offered = poolOffer(ledger, fleet, sample, node, request);
      if (offered === null) return [];
      const found = isClosed ? busy(offered) : offered;
      return isByItself ? [found] : first(size).map((instance) => ({ ...found, instance }));
    }),
  );
}

/** Normally the job's share; the whole machine, or its free part, if the request asks for it. */
function shown(
  ledger: CapacityLedger,
  { instance, offer }: PoolOffer,
  options: PlanOptions,
): Offer {
  const total = instance.totalBlocks ?? 1;
  if (!options.fullOffers || !instance.offer || total === 1) return withHostname(offer, instance);
  const blocks = options.unallocatedResources ? freeBlocks(ledger, instance) : total;
  const share = { ...shareOffer(instance.offer, total, blocks), availability: offer.availability };
  return withHostname(share, instance);
}

/** SSH hosts are all `instance` in the region `remote`: they differ by their addresses. */
function withHostname(offer: Offer, { backend, address }: InstanceRecord): Offer {
  return backend === SSH_HOST_BACKEND && address !== null ? { ...offer, hostname: address } : offer;
}

function freeBlocks(ledger: CapacityLedger, instance: InstanceRecord): number {
  return (instance.totalBlocks ?? 1) - ledger.busyBlocks(instance);
}

function freshOffers(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
  ask: Ask,
): Offer[] {
  if (whyNotGrow(ledger, fleet, 1, request)) return [];
  const capacity = newCapacityFor(fleet, node, request.profile);
  if ('excluded' in capacity) return [];
  const offers = ask(capacity.question);
  const blocks = fleet.spec.configuration.blocks ?? 1;
  const usable = usableOffers(offers, node, capacity.combined, blocks);
  const isClosed = ledger.windows.against(fleet, request) !== null;
  return mountable(ledger, usable, fleet, node, request).map((offer) =>
    isClosed || whyNotLocal(ledger, offer) !== null
      ? { ...offer, availability: 'not_available' }
      : offer,
  );
}

/** The offers with which the job could mount its volumes. */
function mountable(
  ledger: CapacityLedger,
  offers: readonly Offer[],
  fleet: FleetRecord | null,
  node: NodeRequest,
  request: GangRequest,
): readonly Offer[] {
  const found = mountableOffers(ledger, offers, fleet?.id ?? null, node, request);
  return 'offers' in found ? found.offers : [];
}

/** The offers of the backends, without regard to fleets. */
function anywhere(
  ledger: CapacityLedger,
  node: NodeRequest,
  request: GangRequest,
  ask: Ask,
): Offer[] {
  if (request.profile.creation_policy === 'reuse') return [];
  const combined: Combined = { requirements: node.requirements, profile: request.profile };
  const usable = usableOffers(ask(offersQuestion(null, combined)), node, combined, 1);
  return [...mountable(ledger, usable, null, node, request)];
}

/** Several fleets find the same offers; equal ones are named once. */
function withoutTwins(offers: readonly Offer[]): Offer[] {
  return [...new Map(offers.map((offer) => [JSON.stringify(offer), offer])).values()];
}
