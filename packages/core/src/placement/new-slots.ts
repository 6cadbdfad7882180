import type { Finding } from '@dstack/contract/wire';
import type { FleetRecord, Offer } from '../model/index.ts';
import { isAvailableOffer } from '../offers/availability.ts';
import { isServerHost } from '../offers/capabilities.ts';
import { finding } from '../offers/findings.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';
import { mountableOffers } from './mounts.ts';
import {
  isElastic,
  type NewCapacity,
  newCapacityFor,
  type Site,
  usableOffers,
} from './new-capacity.ts';
import type { OffersWanted } from './offers-wanted.ts';
import type { NewSlot } from './slots.ts';

/** Looks up the backends' answer; a question without an answer has no offers. */
export type Ask = (question: OffersWanted) => readonly Offer[];

/** The most offers kept for one new instance; far more than are ever tried. */
const OFFERS_KEPT = 100;

/** Why a fleet creates no new instance for a gang. */
export interface NoNewCapacity {
  readonly none: Finding;
}

/** Why the fleet never grows for this gang, however few instances it has; null if it does. */
export function whyNeverGrow(fleet: FleetRecord, request: GangRequest): Finding | null {
  if (request.profile.instances) return finding('instances');
  if (request.profile.creation_policy === 'reuse') return finding('creation_policy');
  if (!isElastic(fleet)) return finding('fixed_size');
  return fleet.projectId === request.run.projectId ? null : finding('imported');
}

/** Whether the fleet may grow by `count` instances for this gang now. */
export function whyNotGrow(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  count: number,
  request: GangRequest,
): Finding | null {
  const never = whyNeverGrow(fleet, request);
  if (never) return never;
  const max = fleet.spec.configuration.nodes?.max ?? null;
  if (max === null || ledger.activeIn(fleet.id) + count <= max) return null;
  return finding('nodes.max', { has: String(max) });
}

/** A new instance of the fleet for one node, with the offers available now, or why there are none. */
export function newSlot(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
  ask: Ask,
): NewSlot | NoNewCapacity {
  const capacity = newCapacityFor(fleet, node, request.profile);
  if ('excluded' in capacity) return { none: finding('excluded', capacity.excluded) };
  return slotFrom(ledger, fleet, node, request, capacity, ask(capacity.question));
}

function slotFrom(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
  { combined }: NewCapacity,
  offers: readonly Offer[],
): NewSlot | NoNewCapacity {
  const fitting = usableOffers(offers, node, combined, fleet.spec.configuration.blocks ?? 1);
  const mountable = mountableOffers(ledger, fitting, fleet.id, node, request);
  if ('finding' in mountable) return { none: mountable.finding };
  const { offers: usable, volumes } = mountable;
  const made = usable.filter((offer) => ledger.makesMachines(offer));
  const had = made.filter(isAvailableOffer);
  const open = had.filter((offer) => whyNotLocal(ledger, offer) === null);
  if (open.length > 0) {
    return { kind: 'new', combined, offers: open, totalOffers: usable.length, volumes };
  }
  const local = had[0] && whyNotLocal(ledger, had[0]);
  if (local) return { none: local };
  if (usable.length === 0) return { none: finding('no_offers') };
  if (made.length > 0) return { none: finding('not_available', { count: made.length }) };
  const has = [...new Set(usable.map((offer) => offer.backend))].join(', ');
  return { none: finding('no_machines', { has, count: usable.length }) };
}

/** Why the server's machine cannot hold one more instance like this; null for other machines. */
export function whyNotLocal(ledger: CapacityLedger, offer: Offer): Finding | null {
  if (!isServerHost(offer.backend)) return null;
  if (ledger.localLeft <= 0) {
    return finding('local_limit', { has: String(ledger.localMaxInstances) });
  }
  return ledger.hasGpusFor(offer) ? null : finding('gpus_taken');
}

/**
 * The offers to try for one instance: those divided into blocks like the first. On the server's
 * machine only the first, because each offer takes other GPUs.
 */
export function triedOffers(offers: readonly Offer[]): Offer[] {
  const [first] = offers;
  if (first && isServerHost(first.backend)) return [first];
  return offers
    .filter(
      (offer) =>
        offer.blocks === first?.blocks &&
        offer.total_blocks === first.total_blocks &&
        !isServerHost(offer.backend),
    )
    .slice(0, OFFERS_KEPT);
}

/** The slot with offers at that site only, or null if there are none. */
export function slotAt(
  slot: NewSlot,
  site: Site & { readonly zone?: string | null },
): NewSlot | null {
  const offers = slot.offers
    .filter((offer) => offer.backend === site.backend && offer.region === site.region)
    .flatMap((offer) => atZone(offer, site.zone ?? null));
  return offers.length > 0 ? { ...slot, offers } : null;
}

/** An offer that names no zones can be had in any. */
function atZone(offer: Offer, zone: string | null): Offer[] {
  if (zone === null) return [offer];
  const zones = offer.availability_zones;
  if (zones && !zones.includes(zone)) return [];
  return [{ ...offer, availability_zones: [zone] }];
}
