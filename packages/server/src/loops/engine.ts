import type { Change, DecisionContext, Signal, WorkKind } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { OfferSource } from '../offers/offer-source.ts';
import { fleetPass, instancePass, type Pass, placementPass, runPass } from './passes.ts';
import { Timers } from './timers.ts';
import { WorkQueue } from './work-queue.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly offers: OfferSource;
  /** Carries out the effect announced under this key; see `effects/`. */
  readonly effect: Pass;
  readonly context: () => DecisionContext;
  readonly log: Logger;
}

/** Passes of one kind that may run at a time. Effects wait for networks, so many of them may. */
const CONCURRENCY: Record<WorkKind, number> = {
  run: 8,
  placement: 2,
  instance: 8,
  fleet: 4,
  intent: 64,
};

/** The safety net: what no signal and no alarm has found is found by then. */
const SWEEP_MS = 60_000;

/**
 * The loops of the server. A signal puts a key into the queue of its kind, an alarm does the same
 * when a record's `nextPassAt` has come; at rest neither queue nor database is touched, but for the
 * sweep once a minute.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #queues: Record<WorkKind, WorkQueue>;
  readonly #timers: Timers;
  #unsubscribe: () => void = () => {};
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { store, offers, context, log } = options;
    const deps = {
      store,
      offers,
      context,
      log,
      applied: (changes: readonly Change[]) => this.#arm(changes),
    };
    const queue = (name: WorkKind, pass: Pass) =>
      new WorkQueue({ name, pass, log, concurrency: CONCURRENCY[name] });
    this.#queues = {
      run: queue('run', runPass(deps)),
      placement: queue('placement', placementPass(deps)),
      instance: queue('instance', instancePass(deps)),
      fleet: queue('fleet', fleetPass(deps)),
      intent: queue('intent', options.effect),
    };
    this.#timers = new Timers(
      () => context().now,
      (key) => {
        const at = key.indexOf(':');
        this.#add({ kind: key.slice(0, at) as WorkKind, id: key.slice(at + 1) });
      },
    );
  }

  /** Takes up everything that was unfinished when a server last ended, then follows the signals. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.store.onSignal((signal) => this.#add(signal));
    for (const signal of await this.#options.store.engine.unfinished()) this.#add(signal);
    this.#sweep = setInterval(() => void this.#sweepDue(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Lets the passes under way end; what they leave is found at the next start. */
  async close(): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#sweep);
    this.#timers.clear();
    await Promise.all(Object.values(this.#queues).map((queue) => queue.close()));
  }

  /** Waiting and running passes by kind, for metrics. */
  depths(): Record<WorkKind, { readonly waiting: number; readonly running: number }> {
    const { run, placement, instance, fleet, intent } = this.#queues;
    return {
      run: run.depth,
      placement: placement.depth,
      instance: instance.depth,
      fleet: fleet.depth,
      intent: intent.depth,
    };
  }

  #add(signal: Signal): void {
    this.#queues[signal.kind].add(signal.id);
  }

  #arm(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'instance.insert') {
        this.#timers.set(`instance:${change.instance.id}`, change.instance.nextPassAt);
      } else if (
        (change.type === 'run.update' ||
          change.type === 'instance.update' ||
          change.type === 'fleet.update') &&
        change.set.nextPassAt !== undefined
      ) {
        const kind = change.type.slice(0, change.type.indexOf('.'));
        this.#timers.set(`${kind}:${change.id}`, change.set.nextPassAt);
      }
    }
  }

  async #sweepDue(): Promise<void> {
    const now = this.#options.context().now;
    try {
      for (const signal of await this.#options.store.engine.due(now)) this.#add(signal);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'sweep failed');
    }
  }
}
