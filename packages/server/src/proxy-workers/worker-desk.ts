import type {
  AdmissionAsk,
  CountedService,
  EjectedReplica,
  Handlers,
  KeptCount,
  KeptFiles,
  ReadOutage,
  UnkeptCounts,
} from '@dstack/proxy';
import { RateBuckets } from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { Grants } from '../http/proxy/grants.ts';
import type { Logger } from '../process/logging.ts';
import { modelTable } from '../service-table/view-route.ts';
import type { PushedRoutes } from './pushed-routes.ts';
import type { WorkerLink } from './worker-link.ts';
import { type WorkerSpools, wokenBy } from './worker-spools.ts';

export interface WorkerDeskOptions {
  readonly store: {
    readonly shared: boolean;
    readonly services: Pick<
      Store['services'],
      'withModels' | 'addRequests' | 'setLoad' | 'takeRate' | 'byIdPrefix'
    >;
    readonly access: Pick<Store['access'], 'isToken'>;
  };
  readonly readOutage: ReadOutage;
  readonly routes: Pick<PushedRoutes, 'byName'>;
  readonly grants: Grants;
  readonly spools: Pick<WorkerSpools, 'deliver'>;
  readonly onFigures: (link: WorkerLink, changed: readonly CountedService[]) => void;
  readonly onAvoided: (avoided: EjectedReplica) => void;
  /** Ids of the connected workers. */
  readonly workers: () => readonly string[];
  /** Microseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Answers the questions of proxy workers: everything that needs the database. */
export class WorkerDesk {
  readonly #options: WorkerDeskOptions;
  readonly #buckets: RateBuckets;

  constructor(options: WorkerDeskOptions) {
    this.#options = options;
    this.#buckets = new RateBuckets(() => options.now() / 1000);
  }

  handlers(link: () => WorkerLink): Handlers {
    const { store, routes, readOutage, grants, spools, workers, now } = this.#options;
    return {
      time: now,
      admit: (ask: AdmissionAsk) => grants.admit(ask, workers()),
      release: ({ key }) => grants.release(key, link().id),
      route: (name) => routes.byName(name),
      finishedModels: ({ projectId }) =>
        modelTable(store.services).withModels(projectId, 'finished'),
      byIdPrefix: ({ prefix }) => store.services.byIdPrefix(prefix),
      outage: ({ project, run }) => readOutage(project, run),
      isToken: ({ text }) => store.access.isToken(text),
      takeRate: ({ key, rate, service }) =>
        store.shared
          ? store.services.takeRate(key, rate, now())
          : this.#buckets.take(key, rate, service),
      count: ({ counts }: UnkeptCounts) => this.#count(link().id, counts),
      load: ({ owner, slots }) => store.services.setLoad(owner, slots),
      deliver: (kept: KeptFiles) => spools.deliver(link().id, kept),
      figures: (changed: readonly CountedService[]) => this.#options.onFigures(link(), changed),
      avoided: this.#options.onAvoided,
      log: ({ line }: { readonly line: string }) => this.#log(link().id, line),
    };
  }

  /** Stores what could not be kept, without a second try. */
  async #count(workerId: string, counts: readonly KeptCount[]): Promise<void> {
    await this.#options.store.services.addRequests(workerId, counts, { signals: wokenBy(counts) });
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
