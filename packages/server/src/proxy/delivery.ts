import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { Replica, ReplicaConnections } from './replica-connections.ts';
import type { ServiceRoute } from './service-routes.ts';
import { isTimeout } from './upstream-failure.ts';

/** What came of sending something to one replica. `unsent`: nothing of it has left this server. */
export type Sent<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: Error; readonly unsent: boolean };

export interface Order<T> {
  readonly route: ServiceRoute;
  /** Whether doing it twice is as good as once, and nothing of a body would be missing. */
  readonly isRepeatable: boolean;
  /** Whether nobody waits for the answer any more. */
  readonly isUnwanted: () => boolean;
  readonly send: (replica: Replica) => Promise<Sent<T>>;
}

export interface Delivered<T> {
  readonly value: T;
  /** To be released by whoever gets it. */
  readonly replica: Replica;
}

export interface DeliveryOptions {
  readonly replicas: ReplicaConnections;
  /** The route as it is now; null: there is no such service any more. */
  readonly current: (route: ServiceRoute) => Promise<ServiceRoute | null>;
  /** Milliseconds. */
  readonly now: () => number;
  readonly onFailure: (route: ServiceRoute, replica: Replica, error: Error) => void;
}

/** No replica is there to be asked. */
export class NoReplica extends Error {
  override name = 'NoReplica';
}

/** A replica was asked, and did not answer. */
export class Undelivered extends Error {
  override name = 'Undelivered';
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message);
    this.cause = cause;
  }
}

/** What was started listens within this time, and is asked again so often meanwhile. */
const START_MS = 10_000;
const ASK_AGAIN_MS = 100;

/** Brings requests to replicas: to another one where one does not take it. */
export class Delivery {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /**
   * What was not sent is tried at every replica there is. What was sent and not answered is tried
   * once more if it may be repeated. Throws `NoReplica` or `Undelivered`.
   */
  async deliver<T>({ route, isRepeatable, isUnwanted, send }: Order<T>): Promise<Delivered<T>> {
    const { replicas, current, onFailure } = this.#options;
    const until = this.#startsUntil(route);
    const tried = new Set<Id>();
    let isRepeated = false;
    let last: { readonly error: Error; readonly unsent: boolean } | null = null;
    for (let at: ServiceRoute | null = route; ; at = await current(at)) {
      if (at === null || !replicas.some(at.replicas)) throw new NoReplica();
      const replica = replicas.acquire(at.runId, at.replicas, tried);
      if (replica === null) {
        // Whoever has just been started is given the time to listen.
        if (last === null) throw new NoReplica();
        if (last.unsent && this.#options.now() >= until) throw new Undelivered(last.error);
        if (last.unsent) await delay(ASK_AGAIN_MS);
        tried.clear();
        continue;
      }
      const sent = await send(replica);
      if (sent.kind === 'done') return { value: sent.value, replica };
      last = sent;
      replicas.release(replica);
      onFailure(at, replica, sent.error);
      tried.add(replica.target.jobId);
      if (isUnwanted()) throw new Undelivered(sent.error);
      if (sent.unsent) continue;
      if (isRepeated || !isRepeatable || isTimeout(sent.error)) throw new Undelivered(sent.error);
      isRepeated = true;
    }
  }

  /** Some replica may be running and not listening yet. */
  #startsUntil({ replicas }: ServiceRoute): number {
    const now = this.#options.now();
    const isStarting = replicas.some(({ runningAt }) => now - runningAt / 1000 < START_MS);
    return isStarting ? now + START_MS : 0;
  }
}
