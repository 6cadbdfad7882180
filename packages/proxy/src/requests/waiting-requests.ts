import type { ClientConnection } from '../callers/callers.ts';
import { tooManyWaiting } from '../refusals/refusal.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { ServiceRoutes } from '../routes/service-routes.ts';

/**
 * A request that waits for capacity is answered after this long: it is unknown when capacity
 * becomes free.
 */
const CAPACITY_MS = 5000;

/** Changes made by other servers are seen after this long. */
const LOOK_AGAIN_MS = 1000;

export interface WaitingRequestsOptions {
  readonly routes: ServiceRoutes;
  readonly replicas: ReplicaConnections;
  /** How many requests may wait for one service at a time, unless the service allows fewer. */
  readonly most: number;
  /** Processes that share the limit of a service. */
  readonly processes: number;
  /** Whether there is no place for the replica. */
  readonly lacksCapacity: (route: ServiceRoute) => Promise<boolean>;
}

/** Requests that start a service which is scaled to zero wait here for its first replica. */
export class WaitingRequests {
  readonly #options: WaitingRequestsOptions;
  readonly #held = new Set<AbortController>();
  readonly #counts = new Map<string, number>();

  constructor(options: WaitingRequestsOptions) {
    this.#options = options;
  }

  /**
   * Resolves with a route that has a replica; null after the time limit, when the client disconnects, or
   * if there is no capacity for a replica. Throws `ProxyRefusal` if too many requests wait already.
   */
  async firstReplica(route: ServiceRoute, client: ClientConnection): Promise<ServiceRoute | null> {
    const waiting = this.count(route.runId);
    if (waiting >= this.#most(route)) throw tooManyWaiting(route, waiting);
    const over = new AbortController();
    this.#held.add(over);
    this.#counts.set(route.runId, waiting + 1);
    const end = () => over.abort();
    const limit = setTimeout(end, route.held.timeoutMs);
    client.once('close', end);
    try {
      return await this.#awaitReplica(route, over.signal);
    } finally {
      clearTimeout(limit);
      client.off('close', end);
      over.abort();
      this.#held.delete(over);
      this.#left(route.runId);
    }
  }

  #most({ held }: ServiceRoute): number {
    const { most, processes } = this.#options;
    return held.limit === null ? most : Math.min(most, Math.ceil(held.limit / processes));
  }

  /** Number of requests that wait for this service. */
  count(runId: string): number {
    return this.#counts.get(runId) ?? 0;
  }

  /** Ends the wait of all requests. */
  close(): void {
    for (const over of this.#held) over.abort();
  }

  #left(runId: string): void {
    const count = this.count(runId) - 1;
    if (count > 0) this.#counts.set(runId, count);
    else this.#counts.delete(runId);
  }

  async #awaitReplica(
    { runId, projectName, runName }: ServiceRoute,
    over: AbortSignal,
  ): Promise<ServiceRoute | null> {
    const { routes, replicas, lacksCapacity } = this.#options;
    const patientUntil = performance.now() + CAPACITY_MS;
    while (!over.aborted) {
      // Subscribed before reading, so that no change is missed in between.
      const change = routes.nextChange(runId, LOOK_AGAIN_MS, over);
      const route = await routes.find(projectName, runName);
      if (route?.runId !== runId) return null;
      if (replicas.some(route.replicas)) return route;
      if (performance.now() >= patientUntil && (await lacksCapacity(route))) return null;
      await change;
    }
    return null;
  }
}
