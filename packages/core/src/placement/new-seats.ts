import type { FleetRecord, Offer } from '../model/index.ts';
import { isAvailableOffer } from '../offers/availability.ts';
import type { Board } from './board.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';
import {
  isElastic,
  type NewCapacity,
  newCapacityFor,
  type Site,
  usableOffers,
} from './new-capacity.ts';
import type { OffersWanted } from './offers-wanted.ts';
import type { Seat } from './seats.ts';

/** Looks up what the backends said; unanswered questions have no offers. */
export type Ask = (question: OffersWanted) => readonly Offer[];

/** Most offers that are kept for one new instance; far more than are ever tried. */
const OFFERS_KEPT = 100;

/** Why a fleet makes no new instance for a gang, for people. */
export interface NoNewCapacity {
  readonly reason: string;
}

/** Whether the fleet may grow by `count` instances for this gang at all. */
export function whyNotGrow(
  board: Board,
  fleet: FleetRecord,
  count: number,
  request: GangRequest,
): string | null {
  if (request.profile.instances) return 'only the specified instances may be used';
  if (request.profile.creation_policy === 'reuse') return 'creation_policy is reuse';
  if (!isElastic(fleet) || fleet.projectId !== board.snapshot.projectId) {
    return 'it is at capacity';
  }
  const max = fleet.spec.configuration.nodes?.max ?? null;
  if (max !== null && board.activeIn(fleet.id) + count > max) {
    return `it is at capacity (nodes.max is ${max})`;
  }
  return null;
}

/**
 * New capacity of a fleet for one node: its offers that can be had now, restricted to a site if the
 * gang has one, or the reason why there are none.
 */
export function newSeat(
  board: Board,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
  ask: Ask,
): Extract<Seat, { kind: 'new' }> | NoNewCapacity {
  const capacity = newCapacityFor(fleet, node, request.profile);
  if ('incompatible' in capacity) {
    return { reason: `its ${capacity.incompatible} excludes the run's` };
  }
  return seatFrom(board, fleet, node, capacity, ask(capacity.question));
}

function seatFrom(
  board: Board,
  fleet: FleetRecord,
  node: NodeRequest,
  { combined }: NewCapacity,
  offers: readonly Offer[],
): Extract<Seat, { kind: 'new' }> | NoNewCapacity {
  const usable = usableOffers(offers, node, combined, fleet.spec.configuration.blocks ?? 1);
  const had = usable.filter(isAvailableOffer);
  const open = had.filter((offer) => whyNotLocal(board, offer) === null);
  if (open.length > 0) {
    return { kind: 'new', combined, offers: open, totalOffers: usable.length };
  }
  if (had[0]) return { reason: whyNotLocal(board, had[0]) ?? '' };
  if (usable.length === 0) return { reason: 'no offers match' };
  return { reason: `none of its ${usable.length} offers is available now` };
}

/** Why the server's machine cannot hold one more instance like this; null for other machines. */
export function whyNotLocal(board: Board, offer: Offer): string | null {
  if (offer.backend !== 'local') return null;
  if (board.localLeft <= 0) return 'the most instances that this machine may hold are there';
  return board.hasGpusFor(offer) ? null : 'the GPUs of this machine are taken by other jobs';
}

/**
 * The offers that are tried for one instance: those that are divided like the first. On the server's
 * machine it is the first alone, since each takes other GPUs.
 */
export function triedOffers(offers: readonly Offer[]): Offer[] {
  const [first] = offers;
  if (first?.backend === 'local') return [first];
  return offers
    .filter(
      (offer) =>
        offer.blocks === first?.blocks &&
        offer.total_blocks === first.total_blocks &&
        offer.backend !== 'local',
    )
    .slice(0, OFFERS_KEPT);
}

/** The seat with offers at that site only, or null if there are none. */
export function seatAt(
  seat: Extract<Seat, { kind: 'new' }>,
  site: Site & { readonly zone?: string | null },
): Extract<Seat, { kind: 'new' }> | null {
  const offers = seat.offers
    .filter((offer) => offer.backend === site.backend && offer.region === site.region)
    .flatMap((offer) => atZone(offer, site.zone ?? null));
  return offers.length > 0 ? { ...seat, offers } : null;
}

/** An offer that names no zones can be had in any. */
function atZone(offer: Offer, zone: string | null): Offer[] {
  if (zone === null) return [offer];
  const zones = offer.availability_zones;
  if (zones && !zones.includes(zone)) return [];
  return [{ ...offer, availability_zones: [zone] }];
}
