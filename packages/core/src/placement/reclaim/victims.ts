/**
 * Who has to leave for a gang: an inclusion-minimal set of gangs by which it really finds room, each of which its own
 * project borrows. Nothing here depends on shares of the one who asks: only so is no set taken back by another.
 */
import type { Id, Timestamp } from '../../model/index.ts';
import type { PlacedGang } from '../../quotas/claims.ts';

export interface Lenders {
  /** All gangs of each project with a place, oldest claim first. */
  readonly gangs: readonly PlacedGang[];
  /** Resources that the asking gang needs and is guaranteed. */
  readonly resources: readonly string[];
  readonly guaranteedOf: (projectId: Id, resource: string) => number;
  readonly weightOf: (projectId: Id) => number;
}

/** The most gangs that are looked at for one that asks. */
const MOST_VICTIMS = 64;

/**
 * The gangs that leave; null = the gang finds no room although all of them leave. `fits` must stay true when more gangs leave.
 */
export function chooseVictims(
  next: (chosen: readonly PlacedGang[]) => PlacedGang | null,
  fits: (leaving: readonly PlacedGang[]) => boolean,
): readonly PlacedGang[] | null {
  const order: PlacedGang[] = [];
  let tried = 0;
  while (order.length < MOST_VICTIMS) {
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

/** Gives back those without whom there is room all the same, the last chosen first. */
function pruned(
  order: readonly PlacedGang[],
  fits: (leaving: readonly PlacedGang[]) => boolean,
): readonly PlacedGang[] {
  let kept = [...order];
  for (const one of [...order].reverse()) {
    const without = kept.filter((other) => other !== one);
    if (without.length > 0 && fits(without)) kept = without;
  }
  return kept;
}

/**
 * Whether every gang of the set is borrowed although the others of the set leave: the use of its project, the others
 * subtracted, exceeds the guarantee in a resource that the asking gang needs. A part of such a set is one too.
 */
export function isLegal(leaving: readonly PlacedGang[], lenders: Lenders): boolean {
  return leaving.every((one) =>
    lenders.resources.some((resource) => {
      const others = leaving.filter((other) => other !== one);
      return (
        useOf(one.projectId, resource, others, lenders) >
        lenders.guaranteedOf(one.projectId, resource)
      );
    }),
  );
}

function useOf(
  projectId: Id,
  resource: string,
  without: readonly PlacedGang[],
  { gangs }: Lenders,
): number {
  let sum = 0;
  for (const one of gangs) {
    if (one.projectId === projectId && !without.includes(one)) sum += one.amounts[resource] ?? 0;
  }
  return sum;
}

/** The next borrowed gang: of the project with most borrowed by weight, then of the lowest priority, then the least work lost. */
export function nextBorrowed(
  candidates: readonly PlacedGang[],
  lenders: Lenders,
  now: Timestamp,
): (chosen: readonly PlacedGang[]) => PlacedGang | null {
  return (chosen) => {
    const open = candidates.filter(
      (one) =>
        !chosen.includes(one) &&
        isBorrowed(one, chosen, lenders) &&
        isLegal([...chosen, one], lenders),
    );
    const borrowed = new Map(
      [...new Set(open.map(({ projectId }) => projectId))].map((id) => [
        id,
        borrowedOf(id, chosen, lenders),
      ]),
    );
    const rate = ({ projectId }: PlacedGang) =>
      (borrowed.get(projectId) ?? 0) / lenders.weightOf(projectId);
    return first(open, (a, b) => rate(b) - rate(a) || byLoss(a, b, now));
  };
}

/** The next gang of lower priority: the lowest, then the least work lost. */
export function nextOfLowerPriority(
  candidates: readonly PlacedGang[],
  now: Timestamp,
): (chosen: readonly PlacedGang[]) => PlacedGang | null {
  return (chosen) =>
    first(
      candidates.filter((one) => !chosen.includes(one)),
      (a, b) => byLoss(a, b, now),
    );
}

function first(
  gangs: readonly PlacedGang[],
  compare: (a: PlacedGang, b: PlacedGang) => number,
): PlacedGang | null {
  return gangs.reduce<PlacedGang | null>(
    (best, one) => (best === null || compare(one, best) < 0 ? one : best),
    null,
  );
}

function byLoss(a: PlacedGang, b: PlacedGang, now: Timestamp): number {
  return a.priority - b.priority || workOf(a, now) - workOf(b, now) || (a.key < b.key ? -1 : 1);
}

/** GPU-seconds of the present attempt; of jobs without GPUs, their seconds. */
function workOf({ claims }: PlacedGang, now: Timestamp): number {
  return claims.reduce(
    (sum, { runningAt, amounts }) =>
      sum + (runningAt === null ? 0 : now - runningAt) * Math.max(1, amounts.gpu ?? 0),
    0,
  );
}

/** Of the gangs that stay, by time of claim, those beyond the guarantee; one that straddles it counts as a whole. */
function isBorrowed(one: PlacedGang, leaving: readonly PlacedGang[], lenders: Lenders): boolean {
  return lenders.resources.some((resource) => {
    if ((one.amounts[resource] ?? 0) === 0) return false;
    let sum = 0;
    for (const other of lenders.gangs) {
      if (other.projectId !== one.projectId || leaving.includes(other)) continue;
      sum += other.amounts[resource] ?? 0;
      if (other === one) break;
    }
    return sum > lenders.guaranteedOf(one.projectId, resource);
  });
}

function borrowedOf(projectId: Id, leaving: readonly PlacedGang[], lenders: Lenders): number {
  const [resource = ''] = lenders.resources;
  const beyond =
    useOf(projectId, resource, leaving, lenders) - lenders.guaranteedOf(projectId, resource);
  return Math.max(0, beyond);
}
