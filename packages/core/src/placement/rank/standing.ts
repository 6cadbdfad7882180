/** Which gangs come before all others, whatever their priority: those with a right to capacity that others use. */
import type { Id, PlacementSnapshot } from '../../model/index.ts';
import { claimsOn } from '../../quotas/claims.ts';
import { Guarantees, type Use } from '../../quotas/guarantees.ts';
import type { GangRequest, QueueStanding } from '../gang-request.ts';
import { leastAmounts } from '../quota/least.ts';
import type { QueuedGang } from './queued-gang.ts';

/** The fleets that a gang may use. */
export type FleetsOf = (request: GangRequest) => readonly { readonly id: Id }[];

type Known = Pick<PlacementSnapshot, 'quotas' | 'claims' | 'instances'>;

/**
 * First gangs that wait for those whom they have asked to leave, then gangs wholly within the guarantee of their project,
 * then the others, each in the order of the queue. A loan before them would have to be taken back.
 */
export function byStanding(
  queue: readonly QueuedGang[],
  { quotas = [], claims = [], instances }: Known,
  fleetsOf: FleetsOf,
): readonly QueuedGang[] {
  const guarantees = new Guarantees(quotas, claimsOn(claims, instances));
  const hasAsked = ({ gang }: QueuedGang) => (gang.jobs[0]?.reclaim?.runs.length ?? 0) > 0;
  if (guarantees.isEmpty && !queue.some(hasAsked)) return queue;
  const standing = (queued: QueuedGang): QueueStanding => {
    const { request } = queued;
    const amounts = leastAmounts(request);
    const { projectId } = request.run;
    const uses = fleetsOf(request).map(({ id }): Use => ({ projectId, fleetId: id, amounts }));
    const within = uses.find((use) => guarantees.isWithin(use));
    if (within) guarantees.claim(within);
    return hasAsked(queued) ? 0 : within ? 1 : 2;
  };
  return queue
    .map((queued) => ({ ...queued, request: { ...queued.request, standing: standing(queued) } }))
    .sort((a, b) => a.request.standing - b.request.standing || askedAt(a) - askedAt(b));
}

/** Freed capacity goes to the gang that asked first, whatever the priority of those that ask later. */
const askedAt = ({ gang, request }: QueuedGang): number =>
  request.standing === 0 ? (gang.jobs[0]?.reclaim?.since ?? 0) : 0;
