import type { ServiceRoute } from './service-route.ts';
import type { ServiceTable } from './service-table.ts';

export interface ServiceRoutesOptions {
  readonly services: Pick<ServiceTable, 'byName'>;
  /** Milliseconds; changes made by other servers are seen after this long. */
  readonly ttlMs: number;
  /** Milliseconds. */
  readonly now: () => number;
  /** Called with the present route after a change, for runs that `wants` accepts. */
  readonly onRoute: (route: ServiceRoute) => void;
  readonly wants: (runId: string) => boolean;
}

/** A route that changes constantly is used as it was read last, and not cached. */
const MAX_READS = 3;

interface Entry {
  readonly route: ServiceRoute;
  readonly readAt: number;
}

/** Services by their names, so that a request need not read the database. */
export class ServiceRoutes {
  readonly #options: ServiceRoutesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<ServiceRoute | null>>();
  readonly #waiters = new Map<string, Set<() => void>>();
  /** Runs that have changed during each reading. */
  readonly #readings = new Set<Set<string>>();

  constructor(options: ServiceRoutesOptions) {
    this.#options = options;
  }

  /** Null: there is no such service, or this server does not serve it. */
  async find(project: string, run: string): Promise<ServiceRoute | null> {
    const key = `${project.toLowerCase()}/${run}`;
    const entry = this.#entries.get(key);
    const { now, ttlMs } = this.#options;
    if (entry && now() - entry.readAt < ttlMs) return entry.route;
    const known = this.#loading.get(key);
    if (known) return await known;
    const loading = this.#load(key, project, run).finally(() => {
      if (this.#loading.get(key) === loading) this.#loading.delete(key);
    });
    this.#loading.set(key, loading);
    return await loading;
  }

  /** The run has changed. */
  changed(runId: string): void {
    for (const changed of this.#readings) changed.add(runId);
    for (const [key, { route }] of this.#entries) {
      if (route.runId !== runId) continue;
      this.#entries.delete(key);
      if (this.#options.wants(runId)) void this.#refresh(route);
    }
    for (const wake of this.#waiters.get(runId) ?? []) wake();
  }

  /** Resolves after the next change of the run, or after `ms`, or when `signal` is aborted. */
  nextChange(runId: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(runId) ?? new Set();
      this.#waiters.set(runId, waiters);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiters.delete(done);
        if (waiters.size === 0) this.#waiters.delete(runId);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      waiters.add(done);
    });
  }

  /** Read again if it has changed meanwhile: a caller may have requested it after the change. */
  async #load(key: string, project: string, run: string): Promise<ServiceRoute | null> {
    for (let reads = 1; ; reads++) {
      const readAt = this.#options.now();
      const changed = new Set<string>();
      this.#readings.add(changed);
      try {
        const route = await this.#options.services.byName(project, run);
        const isOld = route !== null && changed.has(route.runId);
        if (isOld && reads < MAX_READS) continue;
        if (route && !isOld) this.#entries.set(key, { route, readAt });
        else this.#entries.delete(key);
        return route;
      } finally {
        this.#readings.delete(changed);
      }
    }
  }

  /** Closes connections to removed replicas even without further requests. */
  async #refresh({ runId, projectName, runName, ...rest }: ServiceRoute): Promise<void> {
    const withoutReplicas = { runId, projectName, runName, ...rest, replicas: [] };
    // The next caller gets the same error.
    const route = await this.find(projectName, runName).catch(() => null);
    this.#options.onRoute(route?.runId === runId ? route : withoutReplicas);
  }
}
