import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import type { PoolOffer } from '../offers/pool.ts';
import { isInstanceActive } from '../status/instance-status.ts';
import type { Board } from './board.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';
import { isElastic, type Site } from './new-capacity.ts';
import { type Ask, type NoNewCapacity, newSeat, seatAt, whyNotGrow } from './new-seats.ts';
import { matchNodes } from './node-matching.ts';
import { existingSeat, poolReasons, poolSeats, type Seat } from './seats.ts';

/** A fleet in which the whole gang finds a place. */
export interface FleetOption {
  readonly fleet: FleetRecord;
  /** One per node, in the gang's order. */
  readonly seats: readonly Seat[];
  /** Prices of the cheapest existing instance and of the cheapest new one; Infinity = none. */
  readonly poolPrice: number;
  readonly offerPrice: number;
}

/** A fleet that cannot take the gang now. `unfit`: it never could, whatever is free. */
export interface FleetRefusal {
  readonly fleet: FleetRecord;
  readonly reason: string;
  readonly unfit: boolean;
}

/** The existing instances of a fleet as a gang sees them. */
export interface PoolView {
  readonly fleet: FleetRecord;
  /** Per node of the gang, best first. */
  readonly candidates: readonly (readonly PoolOffer[])[];
  /** The whole run could live on what is there. */
  readonly suffices: boolean;
}

/** Whether the fleet may be chosen for the gang at all, and what it has. */
export function viewPool(
  board: Board,
  fleet: FleetRecord,
  request: GangRequest,
): PoolView | FleetRefusal {
  const nodes = request.nodes.length;
  if (request.nodes[0]?.needs.multinode && fleet.spec.configuration.placement !== 'cluster') {
    return { fleet, unfit: true, reason: `its placement is not cluster, as ${nodes} nodes need` };
  }
  const chosen = board.fleetOfRun(request.run) !== null;
  const needed = chosen ? nodes : request.nodesRequired;
  if (!chosen && !fits(board, fleet, needed)) {
    return { fleet, unfit: false, reason: `it is at capacity${maxText(fleet)}${gangText(needed)}` };
  }
  const byKind = new Map<string, PoolOffer[]>();
  const candidates = request.nodes.map((node) => {
    const known = byKind.get(node.kind);
    if (known) return known;
    const found = poolSeats(board, fleet, node, request);
    byKind.set(node.kind, found);
    return found;
  });
  return { fleet, candidates, suffices: roomFor(board, candidates[0] ?? []) >= needed };
}

function maxText(fleet: FleetRecord): string {
  const max = fleet.spec.configuration.nodes?.max;
  return max == null ? '' : ` (nodes.max is ${max})`;
}

/** One node of a gang may still find room where all of them do not. */
function gangText(needed: number): string {
  return needed > 1 ? `: ${needed} nodes are needed at once` : '';
}

function fits(board: Board, fleet: FleetRecord, needed: number): boolean {
  if (isElastic(fleet)) {
    const max = fleet.spec.configuration.nodes?.max ?? null;
    if (max === null || fleet.spec.configuration.blocks !== 1) return true;
    return max - board.occupiedIn(fleet.id) >= needed;
  }
  const free = [...board.openIn(fleet.id)].reduce(
    (sum, one) => sum + (one.totalBlocks ?? 0) - board.busyBlocks(one),
    0,
  );
  return free >= needed;
}

/** How many jobs of this size the instances could take. */
function roomFor(board: Board, offers: readonly PoolOffer[]): number {
  return offers.reduce((sum, { instance, blocks }) => {
    const free = (instance.totalBlocks ?? 0) - board.busyBlocks(instance);
    return sum + Math.floor(free / blocks);
  }, 0);
}

/** Places the gang on existing instances alone. */
export function poolOption(view: PoolView): FleetOption | null {
  const poolPrice = view.candidates[0]?.[0]?.offer.price ?? Infinity;
  const seats = onePerNode(view.candidates);
  return seats && { fleet: view.fleet, seats, poolPrice, offerPrice: Infinity };
}

function onePerNode(candidates: PoolView['candidates']): Seat[] | null {
  if (candidates.length === 1) {
    const best = candidates[0]?.[0];
    return best ? [existingSeat(best)] : null;
  }
  for (const site of sitesOf(candidates)) {
    const matched = matchAt(candidates, site);
    if (matched.every((offer) => offer !== null)) return matched.map(existingSeat);
  }
  return null;
}

/** Places the gang on existing instances as far as they go, and on new ones for the rest. */
export function growingOption(
  board: Board,
  view: PoolView,
  request: GangRequest,
  ask: Ask,
): FleetOption | FleetRefusal {
  const { fleet } = view;
  const pool = poolOption(view);
  if (pool) return pool;
  const refuse = (reason: string): FleetRefusal => ({ fleet, reason, unfit: false });
  const why = whyNotGrow(board, fleet, 1, request);
  if (why) {
    const reasons = poolReasons(board, fleet, request.nodes[0], request);
    return refuse(reasons ? `${why}, instances: ${reasons}` : why);
  }
  const fresh = newSeats(board, fleet, request, ask);
  if ('reason' in fresh) return refuse(fresh.reason);
  const poolPrice = view.candidates[0]?.[0]?.offer.price ?? Infinity;
  const offerPrice = fresh[0]?.offers[0]?.price ?? Infinity;
  if (fresh.length === 1) return { fleet, seats: fresh, poolPrice, offerPrice };
  const seats = mixedSeats(board, view, request, fresh);
  return 'reason' in seats ? refuse(seats.reason) : { fleet, seats, poolPrice, offerPrice };
}

type NewSeat = Extract<Seat, { kind: 'new' }>;

function newSeats(
  board: Board,
  fleet: FleetRecord,
  request: GangRequest,
  ask: Ask,
): NewSeat[] | NoNewCapacity {
  const byKind = new Map<string, NewSeat | NoNewCapacity>();
  const seatFor = (node: NodeRequest): NewSeat | NoNewCapacity => {
    const known = byKind.get(node.kind);
    if (known) return known;
    const seat = newSeat(board, fleet, node, request, ask);
    byKind.set(node.kind, seat);
    return seat;
  };
  const seats = request.nodes.map(seatFor);
  const refused = seats.find((seat) => 'reason' in seat);
  return refused ? (refused as NoNewCapacity) : (seats as NewSeat[]);
}

/**
 * Several nodes at one site: the site of the cluster's first machine if it has one, else the one
 * where most nodes find an existing instance, then the cheapest. New machines are all asked for at
 * that site, since the nodes have to reach each other.
 */
function mixedSeats(
  board: Board,
  view: PoolView,
  request: GangRequest,
  fresh: readonly NewSeat[],
): Seat[] | NoNewCapacity {
  const fixed = firstMachine(board.instancesOf(view.fleet.id));
  const sites = fixed
    ? [siteOf(fixed)]
    : [...sitesOf(view.candidates), ...fresh.flatMap((seat) => seat.offers)];
  let best: Seat[] | null = null;
  let bestMissing = Infinity;
  let reason = `it has no place for all ${request.nodes.length} nodes in one region`;
  for (const site of sites) {
    const matched = matchAt(view.candidates, site);
    const missing = matched.filter((offer) => offer === null).length;
    if (missing >= bestMissing) continue;
    const why = whyNotGrow(board, view.fleet, missing, request);
    const seats = matched.map((offer, node) =>
      offer ? existingSeat(offer) : freshAt(fresh[node], site),
    );
    if (why) reason = why;
    else if (seats.every((seat) => seat !== null)) [best, bestMissing] = [seats, missing];
  }
  return best ?? { reason };
}

type ZonedSite = Site & { readonly zone?: string | null };

function freshAt(seat: NewSeat | undefined, site: ZonedSite): Seat | null {
  return seat ? seatAt(seat, site) : null;
}

/** The machine that decides where the others of a cluster are. */
function firstMachine(instances: readonly InstanceRecord[]): InstanceRecord | null {
  return (
    instances
      .filter((one) => isInstanceActive(one.status) && one.provisioningData !== null)
      .sort((a, b) => a.instanceNum - b.instanceNum)[0] ?? null
  );
}

function siteOf(instance: InstanceRecord): ZonedSite {
  const zone = instance.provisioningData?.availability_zone ?? null;
  return { backend: instance.backend ?? 'remote', region: instance.region, zone };
}

/** Sites of the candidates, cheapest first. */
function sitesOf(candidates: PoolView['candidates']): ZonedSite[] {
  const sites = new Map<string, ZonedSite>();
  for (const { offer, instance } of candidates.flat()) {
    const site: ZonedSite = { backend: offer.backend, region: instance.region };
    sites.set(`${site.backend}/${site.region}`, site);
  }
  return [...sites.values()];
}

function matchAt(candidates: PoolView['candidates'], site: ZonedSite): (PoolOffer | null)[] {
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
