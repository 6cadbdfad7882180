/**
 * Passes without a write: one that stops at a gang, and one that collects the offers that are
 * needed.
 */
import type { Refusal } from '@dstack/contract/wire';
import type { DecisionContext, Gang, PlacementSnapshot, Timestamp } from '../model/index.ts';
import { claimSlots } from './claim-slots.ts';
import type { GangRequest } from './gang-request.ts';
import { PlacementPass } from './pass.ts';
import { CapacityLedger, demandKey, PLANNED } from './place/capacity-ledger.ts';
import {
  candidateFleets,
  chooseFleet,
  type FleetOption,
  isClusterFor,
} from './place/choose-fleet.ts';
import { type Ask, newCapacityFor, type OffersWanted, whyNeverGrow } from './place/new-capacity.ts';
import { refusalOf } from './place/refusals.ts';
import { fleetsWithin } from './quota/within.ts';
import { oneByOne, queueOf } from './rank/queue.ts';

/** The place of one request. */
export interface RequestLook {
  readonly request: GangRequest;
  /** The capacity that gangs ahead leave. */
  readonly ledger: CapacityLedger;
  readonly ask: Ask;
  /** Where the gang would be placed, or why not; one of the two is null. */
  readonly option: FleetOption | null;
  readonly refusal: Refusal | null;
}

export interface GangLook extends RequestLook {
  readonly gang: Gang;
  /** Gangs that the pass examined before. */
  readonly ahead: readonly Gang[];
}

/**
 * The place of one gang, found by a pass that stops at it. Null: the gang is not in the queue.
 */
export function lookAtGang(
  snapshot: PlacementSnapshot,
  ask: Ask,
  ctx: DecisionContext,
  isMeant: (gang: Gang) => boolean,
): GangLook | null {
  const pass = new PlacementPass(snapshot, ask, ctx);
  const ahead: Gang[] = [];
  for (const queued of pass.oneByOne()) {
    const { gang, request } = queued;
    if (isMeant(gang)) {
      const { ledger, option } = pass.look(queued);
      const refusal = option ? null : refusalOf(ledger, request, ask);
      return { gang, request, ledger, ask, option, refusal, ahead };
    }
    pass.take(queued);
    ahead.push(gang);
  }
  return null;
}

/**
 * The questions to the backends whose answers `place` needs for this snapshot. Gangs that fit on
 * existing instances need none. After the first gang that does not fit, the remaining capacity is
 * unknown until the backends answer, so all later gangs ask as well.
 */
export function wantsBackendOffers(
  snapshot: PlacementSnapshot,
  now: Timestamp,
): readonly OffersWanted[] {
  const wanted = new Map<string, OffersWanted>();
  const ask: Ask = (question) => {
    wanted.set(question.key, question);
    return [];
  };
  const settings = { localMaxInstances: Infinity };
  const ledger = new CapacityLedger(snapshot, settings, { ...PLANNED, at: now });
  const asked = new Set<string>();
  const { shares } = ledger;
  const queue = queueOf(snapshot, (request) => candidateFleets(ledger, request), shares);
  // Reserved capacity is known only when the pass begins: with a reservation in the queue, all gangs ask.
  const isReserved = queue.some(({ gang }) => gang.jobs.some((job) => job.reserved !== null));
  for (const { gang, request } of oneByOne(queue, shares)) {
    const key = demandKey(ledger, request);
    if (asked.has(key)) continue;
    // No capacity would help, so no backend is asked for any.
    if (isKeptByQuota(ledger, request)) continue;
    const option = asked.size === 0 && !isReserved ? chooseFleet(ledger, request, ask) : null;
    if (option) {
      claimSlots(ledger, request, gang.run, option);
    } else {
      asked.add(key);
      askEverywhere(ledger, request, ask);
    }
  }
  return [...wanted.values()];
}

function isKeptByQuota(ledger: CapacityLedger, request: GangRequest): boolean {
  if (!ledger.quotas.concerns(request.run)) return false;
  const fleets = candidateFleets(ledger, request);
  return fleets.length > 0 && fleetsWithin(ledger, request, fleets).length === 0;
}

/** Asks for the offers of every candidate fleet, whether or not it may grow now. */
function askEverywhere(ledger: CapacityLedger, request: GangRequest, ask: Ask): void {
  const kinds = new Map(request.nodes.map((node) => [node.kind, node]));
  for (const fleet of candidateFleets(ledger, request)) {
    if (whyNeverGrow(fleet, request) || !isClusterFor(fleet, request)) continue;
    for (const node of kinds.values()) {
      const capacity = newCapacityFor(fleet, node, request.profile);
      if (!('excluded' in capacity)) ask(capacity.question);
    }
  }
}
