/** The fleet for a gang, and a slot in it for each of its nodes. */
import { fixedSite, type Site } from '../../instances/index.ts';
import type { FleetRecord, Offer } from '../../model/index.ts';
import { isQueueingOffer } from '../../offers/availability.ts';
import { type PoolOffer, refersTo } from '../../offers/pool.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import { admitted } from '../quota/slots.ts';
import { fleetsWithin } from '../quota/within.ts';
import type { CapacityLedger } from './capacity-ledger.ts';
import { existingSlot, matchNodes, poolSlots, projectsOf } from './existing-instances.ts';
import type { FleetOption, Slot } from './fleet-option.ts';
import { unusableVolume } from './mounts.ts';
import {
  type Ask,
  isElastic,
  type NewSlot,
  type NoNewCapacity,
  newSlot,
  slotAt,
  whyNotGrow,
} from './new-capacity.ts';

export type { FleetOption, Slot };

/**
 * The fleet and the slots for a gang: first fleets that can hold the whole run on existing
 * instances, then those where it need not wait in the queue of a backend, then the cheapest existing
 * instance, then the cheapest new one, then the order of the fleets. Backends are asked only if no
 * fleet has enough. Null: there is no place now; `refusalOf` gives the reason.
 */
export function chooseFleet(
  ledger: CapacityLedger,
  request: GangRequest,
  ask: Ask,
): FleetOption | null {
  if (unusableVolume(ledger, request)) return null;
  const admit = (option: FleetOption | null): FleetOption | null =>
    option && admitted(ledger, request, option);
  const views = fleetsWithin(ledger, request, candidateFleets(ledger, request))
    .filter((fleet) => ledger.windows.against(fleet, request) === null)
    .map((fleet) => viewPool(ledger, fleet, request))
    .filter((view): view is PoolView => view !== null);
  const settled = views
    .filter((view) => view.suffices)
    .map((view) => admit(poolOption(view)))
    .filter((option): option is FleetOption => option !== null);
  if (settled.length > 0) return best(settled);
  const options = views
    .map((view) => admit(growingOption(ledger, view, request, ask)))
    .filter((option): option is FleetOption => option !== null);
  return options.length > 0 ? best(options) : null;
}

function best(options: readonly FleetOption[]): FleetOption {
  return options.reduce((a, b) => {
    if (isQueued(a) !== isQueued(b)) return isQueued(a) ? b : a;
    if (b.poolPrice !== a.poolPrice) return b.poolPrice < a.poolPrice ? b : a;
    return b.offerPrice < a.offerPrice ? b : a;
  });
}

const isQueued = ({ slots }: FleetOption): boolean =>
  slots.some((slot) => slot.kind === 'new' && slot.offers.every(isQueueingOffer));

/**
 * The fleets in which a run may be placed: those that its project may use, limited to the fleets
 * that it names and to the fleet that it already uses.
 */
export function candidateFleets(ledger: CapacityLedger, request: GangRequest): FleetRecord[] {
  const settled = ledger.fleetOfRun(request.run);
  const named = request.profile.fleets;
  const projects = projectsOf(ledger, request);
  return ledger.fleets.filter((fleet) => {
    if (!ledger.mayUse(request.run.projectId, fleet.id)) return false;
    if (settled !== null && fleet.id !== settled) return false;
    return !named || named.some((reference) => refersTo(reference, fleet, projects));
  });
}

/** The existing instances of a fleet, seen from a gang. */
export interface PoolView {
  readonly fleet: FleetRecord;
  /** Per node of the gang, best first. */
  readonly candidates: readonly (readonly PoolOffer[])[];
  /** The existing instances can take the whole run. */
  readonly suffices: boolean;
}

/** Nodes that communicate with each other need a fleet with `placement: cluster`. */
export function isClusterFor(fleet: FleetRecord, request: GangRequest): boolean {
  return !request.nodes[0]?.needs.multinode || fleet.spec.configuration.placement === 'cluster';
}

/** The fleet's existing instances for the gang; null if the fleet cannot be chosen now. */
export function viewPool(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
): PoolView | null {
  if (!isClusterFor(fleet, request)) return null;
  const needed = nodesNeeded(ledger, request);
  if (ledger.fleetOfRun(request.run) === null && !fits(ledger, fleet, needed)) return null;
  const byKind = new Map<string, PoolOffer[]>();
  const most = Math.max(needed, request.nodes.length);
  const candidates = request.nodes.map((node) => {
    const known = byKind.get(node.kind);
    if (known) return known;
    const found = poolSlots(ledger, fleet, node, request, most);
    byKind.set(node.kind, found);
    return found;
  });
  return { fleet, candidates, suffices: roomFor(ledger, candidates[0] ?? [], request) >= needed };
}

/** A run without a fleet needs one that can hold all of its nodes, not only this gang. */
export function nodesNeeded(ledger: CapacityLedger, request: GangRequest): number {
  return ledger.fleetOfRun(request.run) === null ? request.nodesRequired : request.nodes.length;
}

/** Whether the fleet has room for so many nodes of a run that is not in any fleet yet. */
export function fits(ledger: CapacityLedger, fleet: FleetRecord, needed: number): boolean {
  if (isElastic(fleet)) {
    const max = fleet.spec.configuration.nodes?.max ?? null;
    if (max === null || fleet.spec.configuration.blocks !== 1) return true;
    return max - ledger.occupiedIn(fleet.id) >= needed;
  }
  return ledger.freeBlocksIn(fleet.id) >= needed;
}

/** How many jobs of this size the instances could take. */
function roomFor(
  ledger: CapacityLedger,
  offers: readonly PoolOffer[],
  request: GangRequest,
): number {
  return offers.reduce((sum, { instance, blocks }) => {
    const free = (instance.totalBlocks ?? 0) - ledger.busyFor(instance, request);
    return sum + Math.floor(free / blocks);
  }, 0);
}

/** Places the gang on existing instances alone. */
export function poolOption(view: PoolView): FleetOption | null {
  const poolPrice = view.candidates[0]?.[0]?.offer.price ?? Infinity;
  const slots = onePerNode(view.candidates);
  return slots && { fleet: view.fleet, slots, poolPrice, offerPrice: Infinity };
}

function onePerNode(candidates: PoolView['candidates']): Slot[] | null {
  if (candidates.length === 1) {
    const best = candidates[0]?.[0];
    return best ? [existingSlot(best)] : null;
  }
  for (const site of sitesOf(candidates)) {
    const matched = matchAt(candidates, site);
    if (matched.every((offer) => offer !== null)) return matched.map(existingSlot);
  }
  return null;
}

/** Places the gang on existing instances as far as they go, and on new ones for the rest. */
export function growingOption(
  ledger: CapacityLedger,
  view: PoolView,
  request: GangRequest,
  ask: Ask,
): FleetOption | null {
  const { fleet } = view;
  const pool = poolOption(view);
  if (pool) return pool;
  if (whyNotGrow(ledger, fleet, 1, request)) return null;
  const fresh = newSlots(ledger, fleet, request, ask);
  if ('none' in fresh) return null;
  const poolPrice = view.candidates[0]?.[0]?.offer.price ?? Infinity;
  const offerPrice = fresh[0]?.offers[0]?.price ?? Infinity;
  const fixed = fixedSite(fleet, ledger.instancesOf(fleet.id));
  const slots =
    fresh.length === 1 ? lone(fresh, fixed) : mixedSlots(ledger, view, request, { fresh, fixed });
  return slots && { fleet, slots, poolPrice, offerPrice };
}

/** The new instance of a single node; in a cluster it is created at the cluster's site. */
function lone([slot]: readonly NewSlot[], fixed: Site | null): Slot[] | null {
  const found = slot && fixed ? slotAt(slot, fixed) : slot;
  return found ? [found] : null;
}

/** A new instance for each node, or why one of them gets none. */
export function newSlots(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): NewSlot[] | NoNewCapacity {
  const byKind = new Map<string, NewSlot | NoNewCapacity>();
  const slotFor = (node: NodeRequest): NewSlot | NoNewCapacity => {
    const known = byKind.get(node.kind);
    if (known) return known;
    const slot = newSlot(ledger, fleet, node, request, ask);
    byKind.set(node.kind, slot);
    return slot;
  };
  const slots = request.nodes.map(slotFor);
  const refused = slots.find((slot) => 'none' in slot);
  return refused ? (refused as NoNewCapacity) : (slots as NewSlot[]);
}

/**
 * Several nodes at one site: that of the cluster if it has one, else the one at which most nodes
 * find an existing instance, then the cheapest. All new machines are ordered at that site, since
 * the nodes have to reach each other.
 */
function mixedSlots(
  ledger: CapacityLedger,
  view: PoolView,
  request: GangRequest,
  { fresh, fixed }: { readonly fresh: readonly NewSlot[]; readonly fixed: Site | null },
): Slot[] | null {
  const offers = fresh.flatMap((slot) => slot.offers);
  const sites = fixed ? [fixed] : [...sitesOf(view.candidates), ...offers.map(siteOfOffer)];
  let best: Slot[] | null = null;
  let bestMissing = Infinity;
  for (const site of sites) {
    const matched = matchAt(view.candidates, site);
    const missing = matched.filter((offer) => offer === null).length;
    if (missing >= bestMissing || whyNotGrow(ledger, view.fleet, missing, request)) continue;
    const slots = matched.map((offer, node) =>
      offer ? existingSlot(offer) : freshAt(fresh[node], site),
    );
    if (slots.every((slot) => slot !== null)) [best, bestMissing] = [slots, missing];
  }
  return best;
}

const siteOfOffer = ({ backend, region }: Offer): Site => ({ backend, region, zone: null });

function freshAt(slot: NewSlot | undefined, site: Site): Slot | null {
  return slot ? slotAt(slot, site) : null;
}

/** Sites of the candidates, cheapest first. */
function sitesOf(candidates: PoolView['candidates']): Site[] {
  const sites = new Map<string, Site>();
  for (const { offer, instance } of candidates.flat()) {
    const site: Site = { backend: offer.backend, region: instance.region, zone: null };
    sites.set(`${site.backend}/${site.region}`, site);
  }
  return [...sites.values()];
}

function matchAt(candidates: PoolView['candidates'], site: Site): (PoolOffer | null)[] {
  const here = candidates.map((offers) =>
    offers.filter(
      ({ offer, instance }) => offer.backend === site.backend && instance.region === site.region,
    ),
  );
  const matched = matchNodes(here.map((offers) => offers.map((offer) => offer.instance)));
  return matched.map(
    (instance, node) => here[node]?.find((offer) => offer.instance === instance) ?? null,
  );
}
