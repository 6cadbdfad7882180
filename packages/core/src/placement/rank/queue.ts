/** The queue of a pass: the eligible gangs in their order. */
import type { PlacementSnapshot } from '../../model/index.ts';
import { isEligible } from '../eligible/eligible.ts';
import { gangRequest } from '../gang-request.ts';
import { compareRanks, rankOf } from './order.ts';
import type { QueuedGang } from './queued-gang.ts';
import { byStanding, type FleetsOf } from './standing.ts';

export type { QueuedGang };

export function queueOf(
  snapshot: Pick<PlacementSnapshot, 'gangs' | 'quotas' | 'claims' | 'instances'>,
  fleetsOf: FleetsOf,
): readonly QueuedGang[] {
  const queue = snapshot.gangs
    .filter(isEligible)
    .map((gang) => ({ gang, rank: rankOf(gang) }))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map(({ gang }) => ({ gang, request: gangRequest(gang) }));
  return byStanding(queue, snapshot, fleetsOf);
}
