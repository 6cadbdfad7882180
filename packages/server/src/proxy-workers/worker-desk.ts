import type { ModelUse, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import type { ReadServiceState } from '../proxy/outages.ts';
import type { CountedService } from '../proxy/proxy-figures.ts';
import { RateBuckets } from '../proxy/rate-buckets.ts';
import type { Grants } from './grants.ts';
import type { Handlers } from './line-channel.ts';
import type { AdmissionAsk, CountedRequests, ReadState } from './protocol.ts';
import type { PushedRoutes } from './pushed-routes.ts';
import type { WorkerLink } from './worker-link.ts';

export interface WorkerDeskOptions {
  readonly store: {
    readonly shared: boolean;
    readonly services: Pick<
      Store['services'],
      'withModels' | 'addRequests' | 'setLoad' | 'takeRate' | 'byIdPrefix'
    >;
    readonly modelUsage: Pick<Store['modelUsage'], 'add'>;
    readonly access: Pick<Store['access'], 'isToken'>;
  };
  readonly readState: ReadServiceState;
  readonly routes: Pick<PushedRoutes, 'byName'>;
  readonly grants: Grants;
  /** Ids of the connected workers. */
  readonly workers: () => readonly string[];
  /** Microseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** What the server does for its workers: everything that needs the database. */
export class WorkerDesk {
  readonly #options: WorkerDeskOptions;
  readonly #buckets: RateBuckets;

  constructor(options: WorkerDeskOptions) {
    this.#options = options;
    this.#buckets = new RateBuckets(() => options.now() / 1000);
  }

  handlers(link: () => WorkerLink): Handlers {
    const { store, routes, grants, workers, now } = this.#options;
    return {
      time: now,
      admit: (ask: AdmissionAsk) => grants.admit(ask, workers()),
      release: ({ key }) => grants.release(key, link().id),
      route: (name) => routes.byName(name),
      finishedModels: ({ projectId }) => store.services.withModels(projectId, 'finished'),
      byIdPrefix: ({ prefix }) => store.services.byIdPrefix(prefix),
      readState: ({ project, run }) => this.#readState(project, run),
      isToken: ({ text }) => store.access.isToken(text),
      takeRate: ({ key, rate, service }) =>
        store.shared
          ? store.services.takeRate(key, rate, now())
          : this.#buckets.take(key, rate, service),
      count: (counted: CountedRequests) => this.#count(link().id, counted),
      load: ({ owner, slots }) => store.services.setLoad(owner, slots),
      usage: ({ uses }) => this.#used(uses),
      figures: (figures: readonly CountedService[]) => {
        link().figures = figures;
      },
      log: ({ line }: { readonly line: string }) => this.#log(link().id, line),
    };
  }

  async #count(owner: string, { counts, wakes }: CountedRequests): Promise<void> {
    const signals = wakes.map((id) => ({ kind: 'run' as const, id }));
    await this.#options.store.services.addRequests(owner, counts, { signals });
  }

  async #used(uses: readonly ModelUse[]): Promise<void> {
    await this.#options.store.modelUsage.add(uses);
    this.#options.grants.used(new Set(uses.flatMap(({ tokenId }) => tokenId ?? [])));
  }

  /** Only what the causes are derived from. */
  async #readState(project: string, runName: string): Promise<ReadState> {
    const state = await this.#options.readState(project, runName);
    if (state === null) return null;
    const { run, jobs, ...name } = state;
    const { spec, status, terminationReason, desiredReplicas, nextTriggeredAt } = run;
    const { configuration } = spec;
    if (configuration.type !== 'service') return null;
    const { type, auth, replicas, scaling } = configuration;
    const groups = configuration.groups?.map(({ name, replicas, scaling, router }) => ({
      ...{ name, replicas, scaling, router },
    }));
    const kept = { configuration: { type, auth, replicas, scaling, groups: groups ?? null } };
    return {
      ...name,
      run: {
        ...{ status, terminationReason, desiredReplicas, nextTriggeredAt },
        spec: kept as unknown as typeof spec,
      },
      jobs: jobs.map((job) => {
        const { replica_group, probes } = job.spec;
        return { ...job, spec: { replica_group, probes } as unknown as typeof job.spec };
      }),
    };
  }

  #log(worker: string, line: string): void {
    const { level, time: _time, msg, ...rest } = JSON.parse(line);
    const write = LEVELS[level] ?? 'info';
    this.#options.log[write]({ ...rest, worker: worker.slice(0, 8) }, msg);
  }
}

const LEVELS: Readonly<Record<number, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>> = {
  ...{ 10: 'debug', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' },
};
