/** Everything that follows quotas and the queue. */
import type { Change, EngineSettings, Id, JobRecord, RunRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Breach } from './breach.ts';
import { EntitledWatch } from './entitled-watch.ts';
import { LedgerWatch } from './ledger-watch.ts';
import { OrderWatch } from './order-watch.ts';
import { PreemptionWatch } from './preemption-watch.ts';
import { QuotaWatch } from './quota-watch.ts';
import type { Scene } from './scene.ts';

export interface QueueWatchesOptions {
  readonly store: Store;
  readonly settings: EngineSettings;
  readonly job: (id: Id) => JobRecord | null;
  readonly jobs: () => Iterable<JobRecord>;
  readonly run: (id: Id) => RunRecord | null;
  readonly now: () => number;
  readonly steadySince: () => number;
  readonly isTimeSteady: boolean;
  readonly onBreach: (breach: Breach) => void;
}

/** The number of situations that a story has tried, which shows that its checks were not idle. */
export interface QueueCounts {
  readonly quotaChecks: number;
  readonly preemptions: number;
  /** Entitled gangs that were found waiting, starts that were expected, pairs whose order was compared. */
  readonly entitled: number;
  readonly promised: number;
  readonly compared: number;
  /** Intervals that were entered in the ledger. */
  readonly paid: number;
}

export class QueueWatches {
  readonly #quotas: QuotaWatch;
  readonly #preemption: PreemptionWatch;
  readonly #order: OrderWatch;
  readonly #ledger: LedgerWatch;
  readonly #entitled = new EntitledWatch();
  #isCalm = false;

  constructor(options: QueueWatchesOptions) {
    this.#quotas = new QuotaWatch(options);
    const quotas = this.#quotas;
    this.#preemption = new PreemptionWatch({ ...options, quotas });
    this.#order = new OrderWatch({ ...options, quotas });
    this.#ledger = new LedgerWatch(options);
  }

  get counts(): QueueCounts {
    return {
      quotaChecks: this.#quotas.checks,
      preemptions: this.#preemption.preemptions,
      entitled: this.#entitled.found,
      ...this.#order.counts,
      paid: this.#ledger.entered,
    };
  }

  during<T>(write: () => Promise<T>): Promise<T> {
    return this.#quotas.during(write);
  }

  inserted(jobs: readonly JobRecord[]): void {
    this.#order.inserted(jobs);
  }

  async applied(changes: readonly Change[]): Promise<void> {
    const compared = this.#quotas.applied(changes);
    // At once: while counters are read, users may change what the decision relied on.
    this.#preemption.applied(changes);
    await compared;
    await this.#order.applied(changes);
    this.#ledger.applied(changes);
  }

  quotasSet(): Promise<void> {
    return this.#quotas.set();
  }

  /** Faults and users have ended. */
  begin(): void {
    this.#isCalm = true;
    this.#preemption.begin();
    this.#order.begin();
  }

  /** Users or faults have changed the capacity, or the rights to it. */
  disturb(): void {
    this.#entitled.reset();
  }

  /** In a moment without work. */
  async check(scene: Scene): Promise<void> {
    await this.#entitled.check(scene);
    if (!this.#isCalm) return;
    this.#order.checkPromises();
    this.#preemption.checkBound();
  }
}
