/** The amounts that projects are guaranteed, and the use that exceeds them. */
import type { Amounts, Id, QuotaRecord, QuotaState } from '../model/index.ts';
import { termsAmounts } from './amounts.ts';
import type { Claim } from './claims.ts';

/** Use that counts against the guarantees of its project. */
export interface Use {
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly amounts: Amounts;
}

/** The amounts that a project is guaranteed; `fleetId` null = on all fleets together. */
export interface GuaranteedPart {
  readonly fleetId: Id | null;
  readonly amounts: Amounts;
}

/** In stored units. */
export interface Excess {
  readonly resource: string;
  readonly used: number;
  readonly most: number;
  readonly needed: number;
}

interface Guarantee {
  readonly quota: QuotaRecord;
  readonly amounts: Amounts;
}

/** Guarantees of projects, on one fleet or on all; only claims change what is used of them. */
export class Guarantees {
  readonly #guarantees: readonly Guarantee[];
  readonly #weights = new Map<Id, number>();
  /** By project alone, and by project and fleet. */
  readonly #used = new Map<string, Record<string, number>>();

  constructor(quotas: readonly QuotaState[], claims: readonly Claim[]) {
    const ofProjects = quotas.map(({ quota }) => quota).filter(({ userId }) => userId === null);
    this.#guarantees = ofProjects
      .filter(({ guaranteed }) => guaranteed !== null)
      .map((quota) => ({ quota, amounts: termsAmounts(quota.guaranteed) }));
    for (const { projectId, fleetId, weight } of ofProjects) {
      if (fleetId === null && weight !== null) this.#weights.set(projectId, weight);
    }
    for (const claim of claims) this.claim(claim);
  }

  get isEmpty(): boolean {
    return this.#guarantees.length === 0;
  }

  claim({ projectId, fleetId, amounts }: Use): void {
    if (this.isEmpty) return;
    for (const key of [projectId, `${projectId} ${fleetId}`]) {
      // Thousands of claims are counted in each pass: no new object for each of them.
      const used = this.#used.get(key) ?? {};
      this.#used.set(key, used);
      for (const [resource, amount] of Object.entries(amounts)) {
        used[resource] = (used[resource] ?? 0) + amount;
      }
    }
  }

  weightOf(projectId: Id): number {
    return this.#weights.get(projectId) ?? 1;
  }

  /** Whether the project is guaranteed a part of these amounts, and stays within its guarantees with them. */
  isWithin({ projectId, fleetId, amounts }: Use): boolean {
    return this.excessOf({ projectId, fleetId, amounts }) === null;
  }

  /**
   * The first resource in which the project exceeds a guarantee with these amounts; null = it stays within all of them,
   * `none` = it is guaranteed nothing of them.
   */
  excessOf({ projectId, fleetId, amounts }: Use): Excess | 'none' | null {
    const own = this.#guarantees.filter(
      ({ quota }) =>
        quota.projectId === projectId && (quota.fleetId === null || quota.fleetId === fleetId),
    );
    const concerned = own.flatMap(({ quota, amounts: guaranteed }) =>
      Object.keys(guaranteed)
        .filter((resource) => (amounts[resource] ?? 0) > 0)
        .map((resource): Excess => {
          const used = this.#usedOf(projectId, quota.fleetId)[resource] ?? 0;
          const most = guaranteed[resource] ?? 0;
          return { resource, used, most, needed: amounts[resource] ?? 0 };
        }),
    );
    if (concerned.length === 0) return 'none';
    return concerned.find(({ used, most, needed }) => used + needed > most) ?? null;
  }

  /** Resources of which the project is guaranteed some on this fleet. */
  resourcesOf(projectId: Id, fleetId: Id): string[] {
    const own = this.#guarantees.filter(
      ({ quota }) =>
        quota.projectId === projectId && (quota.fleetId === null || quota.fleetId === fleetId),
    );
    return [...new Set(own.flatMap(({ amounts }) => Object.keys(amounts)))];
  }

  /** Each guarantee of the project. */
  ofProject(projectId: Id): GuaranteedPart[] {
    return this.#guarantees
      .filter(({ quota }) => quota.projectId === projectId)
      .map(({ quota, amounts }) => ({ fleetId: quota.fleetId, amounts }));
  }

  #usedOf(projectId: Id, fleetId: Id | null): Amounts {
    return this.#used.get(fleetId === null ? projectId : `${projectId} ${fleetId}`) ?? {};
  }
}
