/**
 * The capacity that fleets can create: the question to the backends, and the slots that their
 * offers give.
 */
import type { Finding, Profile, Requirements } from '@dstack/contract/wire';
import { backendsNamed, isServerHost } from '../../capabilities/capabilities.ts';
import { offersAt, type Site } from '../../instances/index.ts';
import type { BackendName, FleetRecord, Id, Offer, VolumeRecord } from '../../model/index.ts';
import { isAvailableOffer, isQueueingOffer } from '../../offers/availability.ts';
import { smallestShare, totalBlocksOf } from '../../offers/blocks.ts';
import { type Combined, combineFleetAndRun, type Exclusion } from '../../offers/combine.ts';
import { finding } from '../../offers/findings.ts';
import { cutZones, unmetLocation, unmetNeed } from '../../offers/needs.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import type { CapacityLedger } from './capacity-ledger.ts';
import { mountableOffers } from './mounts.ts';

/**
 * A question to the backends. It must be answered before placement or a plan can be computed. Equal
 * questions have equal keys, so a hundred equal runs ask once.
 *
 * The answer is every offer that satisfies `requirements` (`requirementsMatch`), each backend's in
 * its own order; merge them with `mergeByPrice`. This package applies regions, zones, instance
 * types, features and blocks; the caller does not.
 */
export interface OffersWanted {
  readonly key: string;
  /** Null: the question is about no fleet (`for_offers_only` without fleets). */
  readonly fleetId: Id | null;
  /** The project whose backends are asked: that of the fleet; null = the one that asks. */
  readonly projectId: Id | null;
  /** Fleet and run combined. */
  readonly requirements: Requirements;
  /** Backends worth asking; null = all of the project. */
  readonly backends: readonly BackendName[] | null;
}

/** Looks up the backends' answer; a question without an answer has no offers. */
export type Ask = (question: OffersWanted) => readonly Offer[];

/** An instance to be created. */
export interface NewSlot {
  readonly kind: 'new';
  /** Tried in this order; all of them divide the machine alike. */
  readonly offers: readonly Offer[];
  /** The number of offers that fit, including those not available now. */
  readonly totalOffers: number;
  readonly combined: Combined;
  /** One for each mount of a named volume. */
  readonly volumes: readonly VolumeRecord[];
}

/**
 * The requirements of a new instance of a fleet for a node, and the question to the backends about
 * it.
 */
export interface NewCapacity {
  readonly combined: Combined;
  readonly question: OffersWanted;
}

/** A fleet that creates its instances, as opposed to a fleet of SSH hosts. */
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
  return { combined, question: offersQuestion(fleet, combined) };
}

export function offersQuestion(
  fleet: Pick<FleetRecord, 'id' | 'projectId'> | null,
  combined: Combined,
): OffersWanted {
  const named = combined.profile.backends ?? null;
  const backends = named && backendsNamed(named);
  const { requirements } = combined;
  const fleetId = fleet?.id ?? null;
  const key = `${fleetId ?? ''}:${JSON.stringify([requirements, backends])}`;
  return { key, fleetId, projectId: fleet?.projectId ?? null, requirements, backends };
}

/** Only the job's share of the machine has to be within the run's upper bounds. */
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
        // A job without GPUs keeps that bound: a machine without GPUs is cheaper than a share of
        // one with GPUs.
        count: gpu.count.max === 0 ? gpu.count : open(gpu.count),
        total_memory: gpu.total_memory && open(gpu.total_memory),
      },
    },
  };
}

/**
 * The offers that can serve the node in a fleet with these `blocks`, each with its division into
 * blocks and the number of blocks for the node. They keep the order of the backends.
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
  if (ledger.isUndecided(fleet)) return finding('cluster_starting');
  const max = fleet.spec.configuration.nodes?.max ?? null;
  if (max === null || ledger.activeIn(fleet.id) + count <= max) return null;
  return finding('nodes.max', { has: String(max) });
}

/**
 * A new instance of the fleet for one node, with the offers available now, else those whose backend lets it
 * wait in a queue, or why there are none.
 */
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
  { combined, question }: NewCapacity,
  offers: readonly Offer[],
): NewSlot | NoNewCapacity {
  const fitting = usableOffers(offers, node, combined, fleet.spec.configuration.blocks ?? 1);
  const mountable = mountableOffers(ledger, fitting, fleet.id, node, request);
  if ('finding' in mountable) return { none: mountable.finding };
  const { offers: usable, volumes } = mountable;
  const made = usable.filter((offer) => ledger.createsInstances(offer, request.run.projectId));
  const had = made.filter(isAvailableOffer);
  const open = had.filter((offer) => whyNotLocal(ledger, offer) === null);
  const taken = open.length > 0 ? open : made.filter(isQueueingOffer);
  if (taken.length > 0) {
    return { kind: 'new', combined, offers: taken, totalOffers: usable.length, volumes };
  }
  const local = had[0] && whyNotLocal(ledger, had[0]);
  if (local) return { none: local };
  if (usable.length === 0) {
    const has = unreachableText(ledger, question, request);
    const count = elsewhere(ledger, node, request, question, offers) || null;
    return { none: finding('no_offers', { has, count }) };
  }
  if (made.length > 0) return { none: finding('not_available', { count: made.length }) };
  const has = [...new Set(usable.map((offer) => offer.backend))].join(', ');
  return { none: finding('no_machines', { has, count: usable.length }) };
}

/** The machines of other servers that would do where that of this one is too small, as far as facts about them show. */
function elsewhere(
  ledger: CapacityLedger,
  { needs }: NodeRequest,
  { run }: GangRequest,
  { backends, requirements }: OffersWanted,
  offers: readonly Offer[],
): number {
  const isAsked = backends === null || backends.some(isServerHost);
  const isTooSmall = !offers.some(({ backend }) => isServerHost(backend));
  if (!isAsked || !isTooSmall || needs.multinode) return 0;
  return ledger.otherServerHostsFor(requirements, run.projectId);
}

const MAX_UNREACHABLE_TEXT = 300;

/** The backends that might have offers but did not answer; null = all have answered. */
function unreachableText(
  ledger: CapacityLedger,
  { backends }: OffersWanted,
  { run }: GangRequest,
): string | null {
  const silent = ledger.snapshot.projects.get(run.projectId)?.unreachable ?? [];
  const unreachable = silent.filter(
    ({ backend }) => backends === null || backends.includes(backend),
  );
  const text = unreachable.map((one) => `${one.backend}: ${one.text}`).join('; ');
  if (text === '') return null;
  return text.length > MAX_UNREACHABLE_TEXT ? `${text.slice(0, MAX_UNREACHABLE_TEXT)}…` : text;
}

/** Why the server host cannot hold one more instance like this; null for other machines. */
export function whyNotLocal(ledger: CapacityLedger, offer: Offer): Finding | null {
  if (!isServerHost(offer.backend)) return null;
  // A pass knows the offers of its own server's machine alone.
  const count = ledger.otherServerHosts(offer) || null;
  if (ledger.localLeft(offer) <= 0) {
    return finding('local_limit', { has: String(ledger.localMaxInstances), count });
  }
  return ledger.hasGpusFor(offer) ? null : finding('gpus_taken', { count });
}

/**
 * The offers to try for one instance: those divided into blocks like the first. On the server host
 * only the first, because each offer has other GPUs.
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
export function slotAt(slot: NewSlot, site: Site): NewSlot | null {
  const offers = offersAt(slot.offers, site);
  return offers.length > 0 ? { ...slot, offers } : null;
}
