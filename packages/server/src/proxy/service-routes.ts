import type { HeldRequests } from '@dstack/contract';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { autoscalingRules, scalesByDemand } from '@dstack/core';
import type { ServiceReplica, Services, ServiceView } from '@dstack/store';
import type { RequestKey, RequestLimit } from './rate-limits.ts';

export interface HeldLimits {
  readonly timeoutMs: number;
  /** Requests; null = as many as the server allows. */
  readonly limit: number | null;
}

/** How long a request waits for the first replica by default. */
const HELD_MS = 60_000;

/** The data needed to send a request to a service. */
export interface ServiceRoute {
  readonly runId: Id;
  readonly projectName: string;
  readonly runName: string;
  /** Whether callers must be members of the project. */
  readonly auth: boolean;
  /** The app does not receive the part of the path that leads to it. */
  readonly stripPrefix: boolean;
  /** Only the paths of a router are allowed. */
  readonly behindRouter: boolean;
  /** The number of replicas depends on requests. */
  readonly scaled: boolean;
  /** Requests in flight and latencies are measured, because the number depends on them. */
  readonly metered: boolean;
  /** May have no replica until the first request. */
  readonly mayBeEmpty: boolean;
  readonly rateLimits: readonly RequestLimit[];
  /** Requests that are equal in this go to the same replica; null = to any. */
  readonly affinity: RequestKey | null;
  /** Of requests that wait for the first replica. */
  readonly held: HeldLimits;
  /** Of which requests another service gets copies; null = of none. */
  readonly mirror: Mirroring | null;
  /** Browsers of every origin may send requests, without credentials. */
  readonly isOpenToOrigins: boolean;
  /** With OpenAI's API, below this prefix of its paths; null = it has none. */
  readonly model: { readonly name: string; readonly prefix: string } | null;
  readonly replicas: readonly ServiceReplica[];
}

export interface Mirroring {
  /** Of the same project. */
  readonly service: string;
  readonly percent: number;
  readonly methods: readonly string[];
}

export interface ServiceRoutesOptions {
  readonly services: Pick<Services, 'byName'>;
  /** Milliseconds; changes made by other servers are seen after this long. */
  readonly ttlMs: number;
  /** Milliseconds. */
  readonly now: () => number;
  /** Called with the present route after a change, for runs that `wants` accepts. */
  readonly onRoute: (route: ServiceRoute) => void;
  readonly wants: (runId: Id) => boolean;
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
  readonly #waiters = new Map<Id, Set<() => void>>();
  /** Runs that have changed during each reading. */
  readonly #readings = new Set<Set<Id>>();

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
  changed(runId: Id): void {
    for (const changed of this.#readings) changed.add(runId);
    for (const [key, { route }] of this.#entries) {
      if (route.runId !== runId) continue;
      this.#entries.delete(key);
      if (this.#options.wants(runId)) void this.#refresh(route);
    }
    for (const wake of this.#waiters.get(runId) ?? []) wake();
  }

  /** Resolves after the next change of the run, or after `ms`, or when `signal` is aborted. */
  nextChange(runId: Id, ms: number, signal: AbortSignal): Promise<void> {
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
      const changed = new Set<Id>();
      this.#readings.add(changed);
      try {
        const view = await this.#options.services.byName(project, run);
        const route = view && routeOf(view);
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

export function routeOf({ run, projectName, replicas }: ServiceView): ServiceRoute | null {
  const { configuration } = run.spec;
  if (configuration.type !== 'service') return null;
  const ranges = configuration.groups?.map((group) => group.replicas) ?? [configuration.replicas];
  return {
    runId: run.id,
    projectName,
    runName: run.name,
    auth: configuration.auth,
    stripPrefix: configuration.strip_prefix,
    behindRouter: configuration.groups?.some((group) => group.router != null) ?? false,
    scaled: scalesByDemand(run),
    metered: autoscalingRules(run).length > 0,
    mayBeEmpty: scalesByDemand(run) && ranges.some((range) => range !== null && !range.min),
    rateLimits: configuration.rate_limits,
    affinity: configuration.affinity ?? null,
    held: heldLimits(configuration.held_requests),
    mirror: configuration.mirror ?? null,
    isOpenToOrigins: configuration.model?.format === 'openai',
    model: openAiModel(configuration.model),
    replicas,
  };
}

function openAiModel(model: ServiceConfiguration['model']): ServiceRoute['model'] {
  if (model?.format !== 'openai') return null;
  // The configuration that a gateway has stored may lack the prefix.
  return { name: model.name, prefix: model.prefix ?? '/v1' };
}

function heldLimits(held: HeldRequests | null | undefined): HeldLimits {
  const { timeout = null, limit = null } = held ?? {};
  return { timeoutMs: timeout === null ? HELD_MS : timeout * 1000, limit };
}
