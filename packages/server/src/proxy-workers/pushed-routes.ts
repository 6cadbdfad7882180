import type { Id } from '@dstack/core';
import type { ServiceView, Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { ServiceName } from '../proxy/refusal.ts';
import type { PushedHost, PushedRoute } from './protocol.ts';

export interface PushedRoutesOptions {
  readonly store: {
    readonly services: Pick<Store['services'], 'byRun' | 'byName' | 'unfinished'>;
    readonly hostAccess: Pick<Store['hostAccess'], 'byIds'>;
  };
  /** The agent of the server host; null: there is none. */
  readonly local: { readonly hostId: string; readonly path: string; readonly token: string } | null;
  /** Called with every service that has changed, and with its end. */
  readonly onRoute: (route: PushedRoute) => void;
  readonly log: Logger;
}

/** Runs of other kinds that are remembered. */
const MAX_OTHERS = 50_000;

/** Reads services for the workers, once per change. */
export class PushedRoutes {
  readonly #options: PushedRoutesOptions;
  readonly #services = new Set<Id>();
  /** Runs of other kinds: most runs. */
  readonly #others = new Set<Id>();
  readonly #changed = new Set<Id>();
  #reading: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: PushedRoutesOptions) {
    this.#options = options;
  }

  async all(): Promise<PushedRoute[]> {
    const views = await this.#options.store.services.unfinished();
    for (const { run } of views) this.#services.add(run.id);
    return await this.#routes(views);
  }

  async byName({ projectName, runName }: ServiceName): Promise<PushedRoute | null> {
    const view = await this.#options.store.services.byName(projectName, runName);
    const [route = null] = view ? await this.#routes([view]) : [];
    return route;
  }

  /** The run has changed. */
  changed(runId: Id): void {
    if (this.#isClosed || this.#others.has(runId)) return;
    this.#changed.add(runId);
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #read(): Promise<void> {
    for (const runId of this.#changed) {
      this.#changed.delete(runId);
      try {
        await this.#push(runId);
      } catch (error) {
        this.#options.log.warn({ run: runId, err: error }, 'a service was not read for its proxy');
      }
    }
  }

  async #push(runId: Id): Promise<void> {
    const { store, onRoute } = this.#options;
    const view = await store.services.byRun(runId);
    if (view) {
      this.#services.add(runId);
      for (const route of await this.#routes([view])) onRoute(route);
    } else if (this.#services.delete(runId)) onRoute({ runId, view: null, hosts: {} });
    else {
      if (this.#others.size >= MAX_OTHERS) this.#others.clear();
      this.#others.add(runId);
    }
  }

  async #routes(views: readonly ServiceView[]): Promise<PushedRoute[]> {
    const ids = new Set(views.flatMap(({ replicas }) => replicas.map(({ hostId }) => hostId)));
    const hosts = await this.#hosts([...ids]);
    return views.map((view) => ({
      runId: view.run.id,
      view: withoutSecrets(view),
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

/** Only the parts of a configuration that the proxy reads. */
function withoutSecrets(view: ServiceView): ServiceView {
  const { configuration } = view.run.spec;
  if (configuration.type !== 'service') return view;
  const { type, port, auth, strip_prefix, replicas, scaling, rate_limits, model } = configuration;
  const groups = configuration.groups?.map(({ name, replicas, scaling, autoscaling, router }) => ({
    ...{ name, replicas, scaling, autoscaling: metricsOf(autoscaling), router },
  }));
  const autoscaling = metricsOf(configuration.autoscaling);
  const kept = {
    ...{ type, port, auth, strip_prefix, replicas, scaling, autoscaling, rate_limits, model },
  };
  return {
    ...view,
    run: {
      ...view.run,
      spec: {
        configuration: { ...kept, groups: groups ?? null },
      } as unknown as typeof view.run.spec,
    },
  };
}

/** Whether a service is measured; the server alone asks Prometheus. */
const metricsOf = (rules: readonly { readonly metric: string }[] | null | undefined) =>
  rules?.map(({ metric }) => ({ metric })) ?? null;
