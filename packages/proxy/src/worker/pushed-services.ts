import type { KeptCounts } from '../counts/kept-counts.ts';
import { isServerAway, type ServerLink } from '../link/server-link.ts';
import type { ModelTable, ServedModel } from '../models/served-model.ts';
import type { HostedRuns } from '../origins/service-origins.ts';
import { RateBuckets } from '../policy/rate-buckets.ts';
import type { TakeRate } from '../policy/rate-limits.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import type { ServiceTable } from '../routes/service-table.ts';
import type { CountedSecond, MeasuredSlot } from '../values.ts';
import type { PushedRoute } from './protocol.ts';
import { PushedTable } from './pushed-table.ts';

export interface PushedServicesOptions {
  readonly link: ServerLink;
  /** Called with the hosts of a service that was not pushed yet. */
  readonly onHosts: (hosts: PushedRoute['hosts']) => void;
  readonly counts: Pick<KeptCounts, 'add'>;
}

/** The services of a worker, as they were pushed: no request waits for the database. */
export class PushedServices implements ServiceTable, HostedRuns, ModelTable {
  readonly table = new PushedTable();
  readonly #options: PushedServicesOptions;
  /** Counts the rates of services while no other process counts them for all workers. */
  readonly #buckets = new RateBuckets(() => performance.now());

  constructor(options: PushedServicesOptions) {
    this.#options = options;
  }

  async byName(projectName: string, runName: string): Promise<ServiceRoute | null> {
    const { link, onHosts } = this.#options;
    const known = this.table.ofName(projectName, runName);
    if (known !== null || link.isAway) return known?.route ?? null;
    // A service that was submitted a moment ago.
    const pushed = await link.ask<PushedRoute | null>('route', { projectName, runName });
    if (pushed) onHosts(pushed.hosts);
    return pushed?.service?.route ?? null;
  }

  async byIdPrefix(prefix: string): ReturnType<HostedRuns['byIdPrefix']> {
    const routes = this.table.all.map(({ route }) => route);
    const pushed = routes.filter(({ runId }) => runId.startsWith(prefix));
    const { link } = this.#options;
    if (pushed.length === 0 && !link.isAway) return await link.ask('byIdPrefix', { prefix });
    return pushed.map(({ runId, runName, projectName }) => ({ runId, runName, projectName }));
  }

  async withModels(
    projectId: string,
    which: 'unfinished' | 'finished',
  ): Promise<readonly ServedModel[]> {
    if (which === 'finished') return await this.#options.link.ask('finishedModels', { projectId });
    return await this.table.withModels(projectId, which);
  }

  async addRequests(
    _owner: string,
    counts: readonly CountedSecond[],
    { signals = [] }: Parameters<ServiceTable['addRequests']>[2] = {},
  ): Promise<void> {
    const wakes = signals.map(({ id }) => id);
    await this.#options.counts.add(counts, wakes);
  }

  /** Drops the load while there is no server: the next one replaces it. */
  async setLoad(owner: string, slots: readonly MeasuredSlot[]): Promise<void> {
    const { link } = this.#options;
    if (!link.isAway) await link.ask('load', { owner, slots });
  }

  /** Takes from the rate that is counted for all workers; while there is none, from this worker's own. */
  readonly takeSharedRate: TakeRate = async (key, rate, service) => {
    try {
      return await this.#options.link.ask('takeRate', { key, rate, service });
    } catch (error) {
      if (!isServerAway(error)) throw error;
      return await this.#buckets.take(key, rate, service);
    }
  };

  /** Workers count by `takeSharedRate`, or alone. */
  takeRate(): Promise<number> {
    return Promise.reject(new Error('a worker has no database'));
  }
}
