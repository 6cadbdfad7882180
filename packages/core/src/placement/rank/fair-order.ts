/**
 * The order of a pool that is shared by weight. The first criterion in which two gangs differ decides:
 *
 * 1. the ratio of their projects; of two with the same, the one whose next gang has waited longer
 * 2. in one project, the priority: it has no meaning for others
 * 3. the ratio of their users
 * 4. the order without shares (`ORDER`): age, then what makes it total
 *
 * Ratios change while gangs get places, so the next one is chosen when it is wanted, not sorted before. Of each project and
 * each user only the first gang counts, and what is claimed for a gang moves its own project and user alone: so the cost
 * of each choice grows with the logarithm of their number.
 */
import type { Id } from '../../model/index.ts';
import type { ShareHolder, ShareLedger } from '../../shares/share-ledger.ts';
import { compareRanks, type Rank } from './order.ts';
import { Sorted } from './sorted.ts';

export type FairRank = ShareHolder & Rank;

/** Yields all items. What is claimed in `shares` between two of them counts for the next one. */
export function* inFairOrder<T>(
  items: readonly T[],
  rankOf: (item: T) => FairRank,
  shares: ShareLedger,
): Generator<T, void> {
  const ranked = items.map((item) => ({ item, rank: rankOf(item) }));
  const byProject = Map.groupBy(ranked, ({ rank }) => rank.projectId);
  const queues = [...byProject].map(([id, own]) => new ProjectQueue(id, own, shares));
  const projects = new Sorted(queues, (a, b) => compareProjects(a, b, shares));
  for (let first = projects.first; first !== null; first = projects.first) {
    const { item, rank } = first.take();
    const before = shares.claimsBeside(rank);
    yield item;
    first.settle();
    projects.settleFirst(first.isEmpty);
    if (shares.claimsBeside(rank) === before) continue;
    for (const one of queues) one.sort();
    projects.sort();
  }
}

function compareProjects<T>(a: ProjectQueue<T>, b: ProjectQueue<T>, shares: ShareLedger): number {
  const order = shares.compareProjects(a.id, b.id) || compareAges(a.head.rank, b.head.rank);
  return order || (a.id < b.id ? -1 : Number(a.id > b.id));
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
  readonly #users: Sorted<Ranked<T>[]>;

  constructor(id: Id, own: readonly Ranked<T>[], shares: ShareLedger) {
    this.id = id;
    this.#shares = shares;
    const byUser = Map.groupBy(own, ({ rank }) => rank.userId);
    const lists = [...byUser.values()].map((list) =>
      list.sort((a, b) => compareRanks(b.rank, a.rank)),
    );
    this.#users = new Sorted(lists, (a, b) => this.#compare(headOf(a).rank, headOf(b).rank));
  }

  get isEmpty(): boolean {
    return this.#users.first === null;
  }

  get head(): Ranked<T> {
    return headOf(this.#users.first ?? []);
  }

  /** The first gang. `settle` follows before anything else is read. */
  take(): Ranked<T> {
    const { head } = this;
    this.#users.first?.pop();
    return head;
  }

  settle(): void {
    this.#users.settleFirst(this.#users.first?.length === 0);
  }

  sort(): void {
    this.#users.sort();
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
