/** Which gangs their projects borrow. Nothing here depends on shares of the one who asks. */
import type { Amounts, Id } from '../../model/index.ts';
import { plus } from '../../quotas/amounts.ts';
import type { PlacedGang } from '../../quotas/claims.ts';
import type { GuaranteedPart } from '../../quotas/guarantees.ts';

export interface LendersFacts {
  /** All gangs that keep their places, oldest claim first: those that leave anyway use nothing any more. */
  readonly gangs: readonly PlacedGang[];
  readonly guaranteesOf: (projectId: Id) => readonly GuaranteedPart[];
  readonly weightOf: (projectId: Id) => number;
}

/** One resource of one guarantee. */
interface Line {
  readonly fleetId: Id | null;
  readonly resource: string;
  readonly most: number;
}

interface Lender {
  readonly lines: readonly Line[];
  /** The use of the project on each line, and of each resource. */
  readonly total: readonly number[];
  readonly use: Amounts;
  /** By gang, what it and those that are older use of each line. */
  readonly upTo: ReadonlyMap<PlacedGang, readonly number[]>;
}

/** The use of projects beside their guarantees. Each project is counted once, when it is first asked for. */
export class Lenders {
  readonly #facts: LendersFacts;
  readonly #byProject: ReadonlyMap<Id, readonly PlacedGang[]>;
  readonly #lenders = new Map<Id, Lender>();

  constructor(facts: LendersFacts) {
    this.#facts = facts;
    this.#byProject = Map.groupBy(facts.gangs, ({ projectId }) => projectId);
  }

  /**
   * Whether the gang lies beyond the guarantees of its project in one of these resources: the oldest claims are
   * guaranteed, and one that straddles the line is borrowed as a whole. `leaving`: claims that have ended then.
   */
  isBorrowed(
    one: PlacedGang,
    leaving: readonly PlacedGang[],
    resources: readonly string[],
  ): boolean {
    const { lines, upTo } = this.#of(one.projectId);
    const older = leaving.filter(
      (other) => other.projectId === one.projectId && isBefore(other, one),
    );
    const used = (upTo.get(one) ?? []).map((sum, index) => sum - sumOf(older, lines[index]));
    return isBeyond(one, lines, used, resources);
  }

  /**
   * Whether every gang of the set is borrowed although the others of the set leave. A part of such a set is one too.
   */
  isLegal(leaving: readonly PlacedGang[], resources: readonly string[]): boolean {
    // Thousands may leave for a large gang: what leaves of each line is summed once.
    const left = new Map<Id, readonly number[]>();
    for (const [projectId, own] of Map.groupBy(leaving, (one) => one.projectId)) {
      const { lines, total } = this.#of(projectId);
      left.set(
        projectId,
        total.map((sum, index) => sum - sumOf(own, lines[index])),
      );
    }
    return leaving.every((one) => {
      const { lines } = this.#of(one.projectId);
      const used = lines.map(
        (line, index) => (left.get(one.projectId)?.[index] ?? 0) + amountIn(line, one),
      );
      return isBeyond(one, lines, used, resources);
    });
  }

  /** How much the project borrows of the resource when these have left, by its weight. */
  rateOf(projectId: Id, leaving: readonly PlacedGang[], resource: string): number {
    const { lines, use } = this.#of(projectId);
    const own = lines.filter((line) => line.resource === resource);
    const whole = own.find(({ fleetId }) => fleetId === null)?.most;
    const guaranteed = whole ?? own.reduce((sum, { most }) => sum + most, 0);
    const left = leaving
      .filter((one) => one.projectId === projectId)
      .reduce((sum, one) => sum - (one.amounts[resource] ?? 0), use[resource] ?? 0);
    return Math.max(0, left - guaranteed) / this.#facts.weightOf(projectId);
  }

  #of(projectId: Id): Lender {
    const known = this.#lenders.get(projectId);
    if (known) return known;
    const lines = this.#facts
      .guaranteesOf(projectId)
      .flatMap(({ fleetId, amounts }) =>
        Object.entries(amounts).map(([resource, most]): Line => ({ fleetId, resource, most })),
      );
    const total = lines.map(() => 0);
    const upTo = new Map<PlacedGang, readonly number[]>();
    let use: Amounts = {};
    for (const one of this.#byProject.get(projectId) ?? []) {
      for (const [index, line] of lines.entries()) {
        total[index] = (total[index] ?? 0) + amountIn(line, one);
      }
      upTo.set(one, [...total]);
      use = plus(use, one.amounts);
    }
    const lender = { lines, total, use, upTo };
    this.#lenders.set(projectId, lender);
    return lender;
  }
}

const isBefore = (a: PlacedGang, b: PlacedGang): boolean =>
  a.claimedAt === b.claimedAt ? a.key < b.key : a.claimedAt < b.claimedAt;

const covers = ({ fleetId }: Line, one: PlacedGang): boolean =>
  fleetId === null || fleetId === one.fleetId;

const amountIn = (line: Line, one: PlacedGang): number =>
  covers(line, one) ? (one.amounts[line.resource] ?? 0) : 0;

const sumOf = (gangs: readonly PlacedGang[], line: Line | undefined): number =>
  line === undefined ? 0 : gangs.reduce((sum, one) => sum + amountIn(line, one), 0);

/** `used`: of each line, the gang itself included. */
function isBeyond(
  one: PlacedGang,
  lines: readonly Line[],
  used: readonly number[],
  resources: readonly string[],
): boolean {
  const exceeds = (index: number): boolean => (used[index] ?? 0) > (lines[index]?.most ?? 0);
  const concerned = lines.flatMap((line, index) => (amountIn(line, one) > 0 ? [index] : []));
  // A gang that may ask for its place keeps it, whichever resource others lack: else two would take it from each other.
  if (concerned.length > 0 && !concerned.some(exceeds)) return false;
  return resources.some(
    (resource) =>
      (one.amounts[resource] ?? 0) > 0 &&
      lines.every(
        (line, index) => line.resource !== resource || !covers(line, one) || exceeds(index),
      ),
  );
}
