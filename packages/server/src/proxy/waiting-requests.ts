import type { Client } from './callers.ts';
import type { ReplicaConnections } from './replica-connections.ts';
import type { ServiceRoute, ServiceRoutes } from './service-routes.ts';

/** Requests for a service that starts are kept this long, and no more than so many of them. */
const HOLD_MS = 60_000;
const MAX_HELD = 1000;

/** Changes that other servers have made are seen after this long. */
const LOOK_AGAIN_MS = 1000;

export interface WaitingRequestsOptions {
  readonly routes: ServiceRoutes;
  readonly replicas: ReplicaConnections;
}

/** Requests that are kept until a replica is there, because they are what starts it. */
export class WaitingRequests {
  readonly #options: WaitingRequestsOptions;
  readonly #held = new Set<AbortController>();

  constructor(options: WaitingRequestsOptions) {
    this.#options = options;
  }

  /** The route once it has a replica; null: there is none in time, or the client has left. */
  async firstReplica(route: ServiceRoute, client: Client): Promise<ServiceRoute | null> {
    if (this.#held.size >= MAX_HELD) return null;
    const over = new AbortController();
    this.#held.add(over);
    const end = () => over.abort();
    const limit = setTimeout(end, HOLD_MS);
    client.once('close', end);
    try {
      return await this.#awaitReplica(route, over.signal);
    } finally {
      clearTimeout(limit);
      client.off('close', end);
      over.abort();
      this.#held.delete(over);
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    for (const over of this.#held) over.abort();
  }

  async #awaitReplica(
    { runId, projectName, runName }: ServiceRoute,
    over: AbortSignal,
  ): Promise<ServiceRoute | null> {
    const { routes, replicas } = this.#options;
    while (!over.aborted) {
      // Listened for before looking, so that no change falls in between.
      const change = routes.nextChange(runId, LOOK_AGAIN_MS, over);
      const route = await routes.find(projectName, runName);
      if (route?.runId !== runId) return null;
      if (replicas.some(route.replicas)) return route;
      await change;
    }
    return null;
  }
}
