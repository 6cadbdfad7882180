import { SECOND, type Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';

export interface HousekeepingOptions {
  readonly store: Store;
  readonly now: () => Timestamp;
  /** How long each kind is kept, in seconds. */
  readonly events: number;
  readonly metricsOfRunningJobs: number;
  readonly metricsOfFinishedJobs: number;
  readonly healthChecks: number;
  readonly log: Logger;
}

/** Old rows are harmless for a while, so one round an hour is enough. */
const ROUND_MS = 3_600_000;

/** The first round waits until a starting server has done its urgent work. */
const FIRST_ROUND_MS = 60_000;

/** Deletes rows past their retention time. Every server does it; doing it twice is harmless. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #timer: NodeJS.Timeout;
  #round: Promise<void> = Promise.resolve();

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => this.#start(), FIRST_ROUND_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** One round; returns the number of deleted rows, by kind. */
  async clean(): Promise<Readonly<Record<string, number>>> {
    const { store, now, ...keep } = this.#options;
    const before = (seconds: number) => now() - seconds * SECOND;
    return {
      events: await store.events.deleteBefore(before(keep.events)),
      metrics: await store.metrics.deletePoints({
        unfinished: before(keep.metricsOfRunningJobs),
        finished: before(keep.metricsOfFinishedJobs),
      }),
      healthChecks: await store.instances.deleteHealthChecksBefore(before(keep.healthChecks)),
      gatewayReplicas: await store.gateways.deleteEndedReplicas(before(keep.events)),
      rateBuckets: await store.services.deleteDrainedRateBuckets(now()),
      sessions: await store.sessions.deleteInvalid(now()),
      serviceSessions: await store.serviceSessions.deleteExpired(now()),
    };
  }

  #start(): void {
    this.#round = this.clean().then(
      (counts) => this.#options.log.debug(counts, 'old rows deleted'),
      (error) => this.#options.log.warn({ err: error }, 'old rows could not be deleted'),
    );
    this.#timer = setTimeout(() => this.#start(), ROUND_MS);
    this.#timer.unref();
  }
}
