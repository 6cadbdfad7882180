/** The usage of projects and users, relative to their weights, during a pass. */
import type { Id, PoolShares, QuotaState, ShareState } from '../model/index.ts';
import { ShareWeights, userKey } from './weights.ts';

/** Present claims count for this many hours beside what was used: a pass that gives away much at once keeps shares equal. */
const PRESENT_HOURS = 1;

const MICRO = 1_000_000;

/** Whole millionths of GPU hours, so that ratios are compared exactly. */
interface Holder {
  readonly weight: number;
  cost: number;
  /** How often something was claimed in this pass. */
  claims: number;
}

/** The parts of a run that say whose share it uses. */
export interface ShareHolder {
  readonly projectId: Id;
  readonly userId: Id;
}

/**
 * The ratio of a project or user is what it has used, and 1 hour of what it uses now, for its weight. The lowest comes
 * first. Claims of the pass count at once.
 */
export class ShareLedger {
  readonly #shares: PoolShares;
  readonly #quotas: readonly QuotaState[];
  readonly #weights: ShareWeights;
  readonly #projects = new Map<Id, Holder>();
  readonly #users = new Map<string, Holder>();
  #claims = 0;

  constructor(shares: PoolShares, quotas: readonly QuotaState[]) {
    this.#shares = shares;
    this.#quotas = quotas;
    this.#weights = new ShareWeights(quotas.map(({ quota }) => quota));
    for (const state of shares.states) this.#add(state, costOf(state));
  }

  get gpuPrices(): PoolShares['gpuPrices'] {
    return this.#shares.gpuPrices;
  }

  /** `rate`: millionths of a GPU. */
  claim(holder: ShareHolder, rate: number): void {
    this.#add(holder, Math.round(rate * PRESENT_HOURS));
    this.#user(holder.projectId, holder.userId).claims += 1;
    this.#claims += 1;
  }

  /** How often others than this one have claimed something: an order from before may not hold for them. */
  claimsBeside({ projectId, userId }: ShareHolder): number {
    return this.#claims - this.#user(projectId, userId).claims;
  }

  /** Negative: the ratio of `a` is lower. */
  compareProjects(a: Id, b: Id): number {
    return compareRatios(this.#project(a), this.#project(b));
  }

  compareUsers(projectId: Id, a: Id, b: Id): number {
    return compareRatios(this.#user(projectId, a), this.#user(projectId, b));
  }

  /** GPU hours for each unit of weight. */
  ratioOf(projectId: Id, userId: Id | null = null): number {
    const holder = userId === null ? this.#project(projectId) : this.#user(projectId, userId);
    return holder.cost / MICRO / holder.weight;
  }

  weightOf(projectId: Id, userId: Id | null = null): number {
    return (userId === null ? this.#project(projectId) : this.#user(projectId, userId)).weight;
  }

  /** The same amounts, for a look at what would follow. */
  copy(): ShareLedger {
    const copied = new ShareLedger(this.#shares, this.#quotas);
    copied.#claims = this.#claims;
    for (const [key, holder] of this.#projects) copied.#projects.set(key, { ...holder });
    for (const [key, holder] of this.#users) copied.#users.set(key, { ...holder });
    return copied;
  }

  #add({ projectId, userId }: ShareHolder, cost: number): void {
    this.#project(projectId).cost += cost;
    this.#user(projectId, userId).cost += cost;
  }

  #project(id: Id): Holder {
    const known = this.#projects.get(id);
    if (known) return known;
    const holder = { weight: this.#weights.ofProject(id), cost: 0, claims: 0 };
    this.#projects.set(id, holder);
    return holder;
  }

  #user(projectId: Id, userId: Id): Holder {
    const key = userKey(projectId, userId);
    const known = this.#users.get(key);
    if (known) return known;
    const holder = { weight: this.#weights.ofUser(projectId, userId), cost: 0, claims: 0 };
    this.#users.set(key, holder);
    return holder;
  }
}

function costOf({ usage, rate }: Pick<ShareState, 'usage' | 'rate'>): number {
  const used = Number.isFinite(usage) ? Math.max(0, usage) : 0;
  return Math.min(Math.round(used * MICRO + Math.max(0, rate) * PRESENT_HOURS), MOST_COST);
}

/** A billion GPU hours: sums of many of them are still exact. */
const MOST_COST = 1e15;

/** Exact: rounded ratios of two that are nearly equal could give a circle. */
function compareRatios(a: Holder, b: Holder): number {
  const left = a.cost * b.weight;
  const right = b.cost * a.weight;
  if (Number.isSafeInteger(left) && Number.isSafeInteger(right)) return Math.sign(left - right);
  const difference = BigInt(a.cost) * BigInt(b.weight) - BigInt(b.cost) * BigInt(a.weight);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
