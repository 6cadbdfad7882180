/**
 * The order of a pool that is shared by weight. The first criterion in which two gangs differ decides:
 *
 * 1. the ratio of their projects; of two with the same, the one whose next gang has waited longer
 * 2. in one project, the priority: it has no meaning for others
 * 3. the ratio of their users
 * 4. the order without shares (`ORDER`): age, then what makes it total
 *
 * Ratios change while gangs get places, so the next one is chosen when it is wanted, not sorted before: of each project and
 * each user, only the first gang is looked at.
 */
import type { Id } from '../../model/index.ts';
import type { ShareHolder, ShareLedger } from '../../shares/share-ledger.ts';
import { compareRanks, type Rank } from './order.ts';

export type FairRank = ShareHolder & Rank;

/** Yields all items. What is claimed in `shares` between two of them counts for the next one. */
export function* inFairOrder<T>(
  items: readonly T[],
  rankOf: (item: T) => FairRank,
  shares: ShareLedger,
): Generator<T, void> {
  const ranked = items.map((item) => ({ item, rank: rankOf(item) }));
  const byProject = Map.groupBy(ranked, ({ rank }) => rank.projectId);
  const projects = [...byProject].map(([id, own]) => new ProjectQueue(id, own, shares));
  for (let left = items.length; left > 0; left--) {
    const first = projects.reduce((best, one) => (isBefore(one, best, shares) ? one : best));
    const next = first.take();
    if (first.isEmpty) projects.splice(projects.indexOf(first), 1);
    yield next;
  }
}

function isBefore<T>(a: ProjectQueue<T>, b: ProjectQueue<T>, shares: ShareLedger): boolean {
  const order = shares.compareProjects(a.id, b.id);
  const ages = order === 0 ? compareAges(a.head.rank, b.head.rank) : order;
  return ages === 0 ? a.id < b.id : ages < 0;
}

/** By all criteria but the priority. */
const compareAges = (a: Rank, b: Rank): number =>
  compareRanks({ ...a, priority: 0 }, { ...b, priority: 0 });

interface Ranked<T> {
  readonly item: T;
  readonly rank: FairRank;
}

/** The gangs of one project that are left. */
class ProjectQueue<T> {
  readonly id: Id;
  readonly #shares: ShareLedger;
  /** The gangs of each user, the last one first. */
  readonly #users: Ranked<T>[][];

  constructor(id: Id, own: readonly Ranked<T>[], shares: ShareLedger) {
    this.id = id;
    this.#shares = shares;
    const byUser = Map.groupBy(own, ({ rank }) => rank.userId);
    this.#users = [...byUser.values()].map((list) =>
      list.sort((a, b) => compareRanks(b.rank, a.rank)),
    );
  }

  get isEmpty(): boolean {
    return this.#users.length === 0;
  }

  get head(): Ranked<T> {
    return headOf(this.#first());
  }

  take(): T {
    const first = this.#first();
    const { item } = headOf(first);
    first.pop();
    if (first.length === 0) this.#users.splice(this.#users.indexOf(first), 1);
    return item;
  }

  #first(): Ranked<T>[] {
    return this.#users.reduce((best, one) =>
      this.#compare(headOf(one).rank, headOf(best).rank) < 0 ? one : best,
    );
  }

  #compare(a: FairRank, b: FairRank): number {
    if (a.priority !== b.priority) return b.priority - a.priority;
    const order = this.#shares.compareUsers(this.id, a.userId, b.userId) || compareRanks(a, b);
    return order || (a.userId < b.userId ? -1 : Number(a.userId > b.userId));
  }
}

function headOf<T>(gangs: readonly Ranked<T>[]): Ranked<T> {
  const head = gangs.at(-1);
  if (!head) throw new Error('a queue without gangs is left out');
  return head;
}
