/** Which gangs come before all others, whatever their priority: those with a right to capacity that others use. */
import type { PlacementSnapshot } from '../../model/index.ts';
import { claimsOn } from '../../quotas/claims.ts';
import { Guarantees } from '../../quotas/guarantees.ts';
import type { Standing } from '../gang-request.ts';
import { leastAmounts } from '../quota/least.ts';
import type { QueuedGang } from './queued-gang.ts';

type Known = Pick<PlacementSnapshot, 'quotas' | 'claims' | 'instances'>;

/**
 * First gangs that wait for those whom they have asked to leave, then gangs wholly within the guarantee of their project,
 * then the others, each in the order of the queue. A loan before them would have to be taken back.
 */
export function byStanding(
  queue: readonly QueuedGang[],
  { quotas = [], claims = [], instances }: Known,
): readonly QueuedGang[] {
  const guarantees = new Guarantees(quotas, claimsOn(claims, instances));
  const hasAsked = ({ gang }: QueuedGang) => (gang.jobs[0]?.reclaim?.runs.length ?? 0) > 0;
  if (guarantees.isEmpty && !queue.some(hasAsked)) return queue;
  const standing = (queued: QueuedGang): Standing => {
    const { projectId, fleetId } = queued.request.run;
    const use = { projectId, fleetId: fleetId ?? '', amounts: leastAmounts(queued.request) };
    const isWithin = guarantees.isWithin(use);
    if (isWithin) guarantees.claim(use);
    return hasAsked(queued) ? 0 : isWithin ? 1 : 2;
  };
  return queue
    .map((queued) => ({ ...queued, request: { ...queued.request, standing: standing(queued) } }))
    .sort((a, b) => a.request.standing - b.request.standing);
}
