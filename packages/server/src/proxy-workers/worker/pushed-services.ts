import { randomUUID } from 'node:crypto';
import type { Id } from '@dstack/core';
import {
  type AskedServer,
  type HostedRuns,
  isServerAway,
  type ModelTable,
  RateBuckets,
  type ServedModel,
  type ServiceRoute,
  type ServiceTable,
  type TakeRate,
} from '@dstack/proxy';
import type { FoundService, RequestCount, Services } from '@dstack/store';
import { systemNow } from '../../clock/system-clock.ts';
import type { CountedRequests, PushedRoute, PushedService } from '../protocol.ts';

/** Seconds; older counts are in no window of scaling. */
const COUNTED_SECONDS = 600;

/** The services of the server, as it has pushed them: no request waits for the database. */
export class PushedServices implements ServiceTable, HostedRuns, ModelTable {
  readonly #link: AskedServer;
  readonly #onHosts: (hosts: PushedRoute['hosts']) => void;
  readonly #byRun = new Map<Id, PushedService>();
  readonly #byName = new Map<string, Id>();
  /** Counts that the server has not received yet. */
  readonly #counts = new Map<string, RequestCount>();
  readonly #wakes = new Set<Id>();
  /** Counts that were sent to the server and that it has not confirmed; null = none. */
  #sent: CountedRequests | null = null;
  /** Counts the rates of services while there is no server. */
  readonly #buckets = new RateBuckets(() => performance.now());
  #isSending = false;

  /** `onHosts` is called with the hosts of a service that the server has not pushed yet. */
  constructor(link: AskedServer, onHosts: (hosts: PushedRoute['hosts']) => void = () => {}) {
    this.#link = link;
    this.#onHosts = onHosts;
    link.onPresent(() => void this.#send());
  }

  put({ runId, service }: PushedRoute): void {
    const before = this.#byRun.get(runId);
    if (before && this.#byName.get(keyOf(before)) === runId) this.#byName.delete(keyOf(before));
    if (service === null) {
      this.#byRun.delete(runId);
      return;
    }
    this.#byRun.set(runId, service);
    this.#byName.set(keyOf(service), runId);
  }

  get runIds(): Id[] {
    return [...this.#byRun.keys()];
  }

  get hostIds(): ReadonlySet<string> {
    const services = [...this.#byRun.values()];
    return new Set(services.flatMap(({ route }) => route.replicas.map(({ hostId }) => hostId)));
  }

  async byName(projectName: string, runName: string): Promise<ServiceRoute | null> {
    const runId = this.#byName.get(nameKey(projectName, runName));
    const known = runId === undefined ? undefined : this.#byRun.get(runId);
    if (known || this.#link.isAway) return known?.route ?? null;
    // A service that was submitted a moment ago.
    const pushed = await this.#link.ask<PushedRoute | null>('route', { projectName, runName });
    if (pushed) this.#onHosts(pushed.hosts);
    return pushed?.service?.route ?? null;
  }

  async byIdPrefix(prefix: string): Promise<FoundService[]> {
    const routes = [...this.#byRun.values()].map(({ route }) => route);
    const pushed = routes.filter(({ runId }) => runId.startsWith(prefix));
    if (pushed.length === 0 && !this.#link.isAway) {
      return await this.#link.ask('byIdPrefix', { prefix });
    }
    return pushed.map(({ runId, runName, projectName }) => ({ runId, runName, projectName }));
  }

  async withModels(projectId: Id, which: 'unfinished' | 'finished'): Promise<ServedModel[]> {
    if (which === 'finished') return await this.#link.ask('finishedModels', { projectId });
    return [...this.#byRun.values()]
      .flatMap((one) => (one.projectId === projectId && one.served) || [])
      .sort((a, b) => (b.submittedAt ?? 0) - (a.submittedAt ?? 0));
  }

  async addRequests(
    _owner: string,
    counts: readonly RequestCount[],
    { signals = [] }: Parameters<Services['addRequests']>[2] = {},
  ): Promise<void> {
    for (const { runId, second, requests } of counts) {
      const key = `${runId} ${second}`;
      const known = this.#counts.get(key)?.requests ?? 0;
      this.#counts.set(key, { runId, second, requests: known + requests });
    }
    for (const { id } of signals) this.#wakes.add(id as Id);
    await this.#send();
  }

  /** Drops the load while there is no server: the next one replaces it. */
  async setLoad(owner: string, slots: Parameters<Services['setLoad']>[1]): Promise<void> {
    if (!this.#link.isAway) await this.#link.ask('load', { owner, slots });
  }

  /** Takes from the rate that the server counts; while it is away, from this worker's own. */
  readonly takeSharedRate: TakeRate = async (key, rate, service) => {
    try {
      return await this.#link.ask('takeRate', { key, rate, service });
    } catch (error) {
      if (!isServerAway(error)) throw error;
      return await this.#buckets.take(key, rate, service);
    }
  };

  /** Workers count by `takeSharedRate`, or alone. */
  takeRate(): Promise<number> {
    return Promise.reject(new Error('a worker has no database'));
  }

  /** Also sends what is counted while the server answers: a request may wait to be noticed. */
  async #send(): Promise<void> {
    if (this.#isSending || this.#link.isAway) return;
    this.#isSending = true;
    try {
      for (;;) {
        this.#sent ??= this.#taken();
        if (this.#sent === null) return;
        await this.#link.ask('count', this.#sent);
        this.#sent = null;
      }
    } catch (error) {
      // Sent again once the server is back.
      if (!isServerAway(error)) throw error;
    } finally {
      this.#isSending = false;
    }
  }

  /** Null: nothing was counted. */
  #taken(): CountedRequests | null {
    const oldest = systemNow() / 1_000_000 - COUNTED_SECONDS;
    const counts = [...this.#counts.values()].filter(({ second }) => second >= oldest);
    const wakes = [...this.#wakes];
    this.#counts.clear();
    this.#wakes.clear();
    return counts.length === 0 ? null : { batch: randomUUID(), counts, wakes };
  }
}

const nameKey = (project: string, run: string) => `${project.toLowerCase()}/${run}`;
const keyOf = ({ route }: PushedService) => nameKey(route.projectName, route.runName);
