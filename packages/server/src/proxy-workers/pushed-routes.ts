import { hash } from 'node:crypto';
import type { Id } from '@dstack/core';
import {
  NO_HOST_NAMES,
  type PushedRoute,
  type PushedService,
  type ServiceName,
} from '@dstack/proxy';
import type { ServiceView, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { servedModel, viewRoute } from '../service-table/view-route.ts';
import type { PushedHost } from './protocol.ts';

type Route = PushedRoute<PushedHost>;

export interface PushedRoutesOptions {
  readonly store: {
    readonly services: Pick<Store['services'], 'byRun' | 'byName' | 'unfinished' | 'isService'>;
    readonly hostAccess: Pick<Store['hostAccess'], 'byIds'>;
  };
  /** The agent of the server host; null: there is none. */
  readonly local: { readonly hostId: string; readonly path: string; readonly token: string } | null;
  /** Called with every service that has changed, and with its end. */
  readonly onRoute: (route: Route) => void;
  readonly log: Logger;
}

/** Runs of other kinds that are remembered. */
const MAX_OTHERS = 50_000;

/** Reads services for the workers, once per change. */
export class PushedRoutes {
  readonly #options: PushedRoutesOptions;
  /** A hash of what was pushed last. */
  readonly #services = new Map<Id, string>();
  /** Runs of other kinds: most runs. */
  readonly #others = new Set<Id>();
  readonly #changed = new Set<Id>();
  /** One at a time: an earlier reading must not be pushed after a later one. */
  #reading: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: PushedRoutesOptions) {
    this.#options = options;
  }

  /** Whether there is a service to watch. */
  get isEmpty(): boolean {
    return this.#services.size === 0;
  }

  /** All services that have not ended. Pushes those that have changed without a notification. */
  all(): Promise<Route[]> {
    return this.#inTurn(async () => {
      const routes = await this.#routes(await this.#options.store.services.unfinished());
      const present = new Set(routes.map(({ runId }) => runId));
      for (const runId of this.#services.keys()) if (!present.has(runId)) this.#end(runId);
      for (const route of routes)
        if (this.#services.get(route.runId) !== digest(route)) this.#push(route);
      return routes;
    });
  }

  async byName({ projectName, runName }: ServiceName): Promise<Route | null> {
    const view = await this.#options.store.services.byName(projectName, runName);
    const [route = null] = view ? await this.#routes([view]) : [];
    return route;
  }

  /** The run has changed. */
  changed(runId: Id): void {
    if (this.#isClosed || this.#others.has(runId)) return;
    const isWaiting = this.#changed.size > 0;
    this.#changed.add(runId);
    if (!isWaiting) void this.#inTurn(() => this.#readChanged());
  }

  close(): void {
    this.#isClosed = true;
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const reading = this.#reading.then(read);
    this.#reading = reading.catch(() => {});
    return reading;
  }

  async #readChanged(): Promise<void> {
    for (const runId of this.#changed) {
      this.#changed.delete(runId);
      try {
        await this.#read(runId);
      } catch (error) {
        this.#options.log.warn({ run: runId, err: error }, 'a service was not read for its proxy');
      }
    }
  }

  async #read(runId: Id): Promise<void> {
    const { store } = this.#options;
    const view = await store.services.byRun(runId);
    if (view) for (const route of await this.#routes([view])) this.#push(route);
    else if (this.#services.has(runId)) this.#end(runId);
    else {
      // A service may leave its gateway.
      if (await store.services.isService(runId)) return;
      if (this.#others.size >= MAX_OTHERS) this.#others.clear();
      this.#others.add(runId);
    }
  }

  #push(route: Route): void {
    this.#services.set(route.runId, digest(route));
    this.#options.onRoute(route);
  }

  #end(runId: Id): void {
    this.#services.delete(runId);
    this.#options.onRoute({ runId, service: null, hosts: {} });
  }

  async #routes(views: readonly ServiceView[]): Promise<Route[]> {
    const ids = new Set(views.flatMap(({ replicas }) => replicas.map(({ hostId }) => hostId)));
    const hosts = await this.#hosts([...ids]);
    return views.map((view) => ({
      runId: view.run.id,
      service: pushedService(view),
      hosts: Object.fromEntries(
        view.replicas.map(({ hostId }) => [hostId, hosts.get(hostId) ?? { kind: 'server' }]),
      ),
    }));
  }

  async #hosts(ids: readonly string[]): Promise<ReadonlyMap<string, PushedHost>> {
    const { store, local } = this.#options;
    const hosts = new Map<string, PushedHost>();
    for (const record of await store.hostAccess.byIds(ids)) {
      const { access, hostKeys, agentToken: token } = record;
      if (access.kind === 'ssh') {
        hosts.set(record.instanceId, { kind: 'ssh', access, hostKeys, token });
      } else if (access.kind === 'socket') {
        hosts.set(record.instanceId, { kind: 'socket', path: access.path, token });
      }
    }
    if (local) hosts.set(local.hostId, { ...local, kind: 'socket' });
    return hosts;
  }
}

/** Null: the run is no service. */
function pushedService(view: ServiceView): PushedService | null {
  const route = viewRoute(view);
  return (
    route && { projectId: view.run.projectId, route, served: servedModel(view), ...NO_HOST_NAMES }
  );
}

const digest = (route: Route) => hash('sha1', JSON.stringify(route), 'base64');
