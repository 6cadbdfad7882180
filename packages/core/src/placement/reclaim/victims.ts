/**
 * Who has to leave for a gang: an inclusion-minimal set of gangs by which it really finds room, each of which its own
 * project borrows.
 */
import type { Timestamp } from '../../model/index.ts';
import type { PlacedGang } from '../../quotas/claims.ts';
import type { Lenders } from './lenders.ts';

/** The most gangs that are looked at for one that asks, wherever they are. */
const MOST_VICTIMS = 64;

/** The most of those on the instances that it would get: a gang of whole hosts may need as many as there run jobs. */
export const MOST_ON_PLACE = 2048;

/** The most pieces in which chosen gangs are given back: each look arranges the instances anew. */
const MOST_GIVEN_BACK = 128;

/** The gang that leaves beside those that are chosen; null = there is none. */
export type Next = (chosen: readonly PlacedGang[]) => PlacedGang | null;

/** Whether the gang may leave beside those that are chosen; what is refused once is refused beside more of them too. */
type MayLeave = (one: PlacedGang, chosen: readonly PlacedGang[]) => boolean;

/**
 * The gangs that leave; null = the gang finds no room although all of them leave. `fits` must stay true when more gangs leave.
 */
export function chooseVictims(
  next: Next,
  fits: (leaving: readonly PlacedGang[]) => boolean,
  most = MOST_VICTIMS,
): readonly PlacedGang[] | null {
  const order: PlacedGang[] = [];
  let tried = 0;
  while (order.length < most) {
    const one = next(order);
    if (one === null) break;
    order.push(one);
    // Looks are dear: the first ones, then at every doubling.
    if (order.length < 2 * tried) continue;
    tried = order.length;
    if (fits(order)) return pruned(order, fits);
  }
  return order.length > tried && fits(order) ? pruned(order, fits) : null;
}

/** Gives back those without whom there is room all the same, the last chosen first; of very many, piece by piece. */
function pruned(
  order: readonly PlacedGang[],
  fits: (leaving: readonly PlacedGang[]) => boolean,
): readonly PlacedGang[] {
  const size = Math.ceil(order.length / MOST_GIVEN_BACK);
  let kept = [...order];
  for (let end = order.length; end > 0; end -= size) {
    const piece = new Set(order.slice(Math.max(0, end - size), end));
    const without = kept.filter((other) => !piece.has(other));
    if (without.length > 0 && fits(without)) kept = without;
  }
  return kept;
}

export interface Asked {
  readonly lenders: Lenders;
  /** Resources that the asking gang needs and is guaranteed. */
  readonly resources: readonly string[];
  readonly now: Timestamp;
  readonly mayLeave?: MayLeave;
}

/** The next borrowed gang: of the project with most borrowed by weight, then of the lowest priority, then the least work lost. */
export function nextBorrowed(
  candidates: readonly PlacedGang[],
  { lenders, resources, now, mayLeave = always }: Asked,
): Next {
  const [resource = ''] = resources;
  const mayAlso: MayLeave = (one, chosen) =>
    lenders.isBorrowed(one, chosen, resources) &&
    lenders.isLegal([...chosen, one], resources) &&
    mayLeave(one, chosen);
  const queues = [...Map.groupBy(candidates, ({ projectId }) => projectId)].map(
    ([projectId, own]) => ({ projectId, next: inOrder(own, now, mayAlso) }),
  );
  return (chosen) => {
    let best: { readonly one: PlacedGang; readonly rate: number } | null = null;
    for (const { projectId, next } of queues) {
      const one = next(chosen);
      if (one === null) continue;
      const rate = lenders.rateOf(projectId, chosen, resource);
      const isBetter =
        best === null || rate > best.rate || (rate === best.rate && byLoss(now)(one, best.one) < 0);
      if (isBetter) best = { one, rate };
    }
    return best?.one ?? null;
  };
}

/** The next gang of lower priority: the lowest, then the least work lost. */
export function nextOfLowerPriority(
  candidates: readonly PlacedGang[],
  now: Timestamp,
  mayLeave: MayLeave = always,
): Next {
  return inOrder(candidates, now, mayLeave);
}

const always: MayLeave = () => true;

/**
 * The first that may leave. Those that were passed over are not looked at again while more are chosen: of thousands of
 * gangs each is then looked at about once.
 */
function inOrder(gangs: readonly PlacedGang[], now: Timestamp, mayLeave: MayLeave): Next {
  const order = [...gangs].sort(byLoss(now));
  let from = 0;
  let known = 0;
  return (chosen) => {
    if (chosen.length < known) from = 0;
    known = chosen.length;
    for (; from < order.length; from++) {
      const one = order[from];
      if (one && !chosen.includes(one) && mayLeave(one, chosen)) return one;
    }
    return null;
  };
}

const byLoss =
  (now: Timestamp) =>
  (a: PlacedGang, b: PlacedGang): number =>
    a.priority - b.priority || workOf(a, now) - workOf(b, now) || (a.key < b.key ? -1 : 1);

/** GPU-seconds of the present attempt; of jobs without GPUs, their seconds. */
function workOf({ claims }: PlacedGang, now: Timestamp): number {
  return claims.reduce(
    (sum, { runningAt, amounts }) =>
      sum + (runningAt === null ? 0 : now - runningAt) * Math.max(1, amounts.gpu ?? 0),
    0,
  );
}
