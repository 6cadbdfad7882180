/** The queue of a pass: the eligible gangs in their order. */
import type { PlacementSnapshot } from '../../model/index.ts';
import type { ShareLedger } from '../../shares/share-ledger.ts';
import { isEligible } from '../eligible/eligible.ts';
import { gangRequest } from '../gang-request.ts';
import { leastRate } from '../quota/share-of-slot.ts';
import { type FairRank, inFairOrder } from './fair-order.ts';
import { compareRanks, rankOf } from './order.ts';
import type { QueuedGang } from './queued-gang.ts';
import { byStanding, type FleetsOf } from './standing.ts';

export type { QueuedGang };

/** Returns the order before any of the gangs has a place. `shares`: null = the pool is not shared by weight. */
export function queueOf(
  snapshot: Pick<PlacementSnapshot, 'gangs' | 'quotas' | 'claims' | 'instances'>,
  fleetsOf: FleetsOf,
  shares: ShareLedger | null = null,
): readonly QueuedGang[] {
  const queue = snapshot.gangs
    .filter(isEligible)
    .map((gang) => ({ gang, rank: rankOf(gang) }))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map(({ gang }) => ({ gang, request: gangRequest(gang) }));
  const ordered = shares === null ? queue : [...inFairOrder(queue, fairRankOf, shares)];
  return byStanding(ordered, snapshot, fleetsOf);
}

/** The gangs one by one; what those before have claimed changes the order of those behind. */
export function* oneByOne(
  queue: readonly QueuedGang[],
  shares: ShareLedger | null,
): Generator<QueuedGang, void> {
  if (shares === null) {
    yield* queue;
    return;
  }
  for (const standing of [0, 1, 2] as const) {
    const own = queue.filter(({ request }) => request.standing === standing);
    yield* inFairOrder(own, fairRankOf, shares);
  }
}

/**
 * Those that have no place yet, in the order in which they will get one if nothing else comes: each counts as having
 * one before the next is chosen.
 */
export function inTurn(queue: readonly QueuedGang[], shares: ShareLedger | null): QueuedGang[] {
  if (shares === null) return [...queue];
  const later = shares.copy();
  const turns: QueuedGang[] = [];
  for (const queued of oneByOne(queue, later)) {
    turns.push(queued);
    later.claim(queued.gang.run, leastRate(later, queued.request));
  }
  return turns;
}

function fairRankOf({ gang }: QueuedGang): FairRank {
  const { projectId, userId } = gang.run;
  return { ...rankOf(gang), projectId, userId };
}
