import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { isJobRunning } from '@dstack/contract/status';
import { type Id, type JobRecord, latestSubmissions, routerGroup } from '@dstack/core';
import type { JobView, Store } from '@dstack/store';
import type { Logger } from '../process/logging.ts';
import { RouterApi } from './router-api.ts';

export interface WorkerRemovalOptions {
  readonly store: Pick<Store, 'runs' | 'instances'>;
  /** Opens a connection to a port of a job, by the link to its host. */
  readonly openPort: (
    hostId: string,
    jobId: Id,
    port: number,
  ) => Promise<{ readonly stream: Duplex }>;
  /** Requests of a service that are being answered, by whatever worker. */
  readonly pending: (runId: Id) => Promise<number>;
  readonly log: Logger;
  /** Milliseconds. */
  readonly times?: Partial<typeof TIMES>;
}

/** In milliseconds. */
const TIMES = {
  /** A router that has not removed its worker by then does not keep it from being stopped. */
  removal: 15_000,
  /** Proxy workers and gateways report their pending requests once a second. */
  figures: 1500,
  /** Between two looks. */
  pause: 250,
  /** How long the outcome is kept: the stop is carried out by then. */
  kept: 60_000,
};

interface Leaving {
  isDone: boolean;
  whenDone: () => void;
}

/**
 * Workers of routers of the kind `smg` that are about to be stopped. A proxy sends requests to the
 * router alone, so it cannot count those of one worker: the service's pending requests are awaited.
 */
export class WorkerRemoval {
  readonly #options: WorkerRemovalOptions;
  readonly #times: typeof TIMES;
  readonly #leaving = new Map<Id, Leaving>();
  readonly #closing = new AbortController();

  constructor(options: WorkerRemovalOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
  }

  /**
   * Removes a worker from its router and awaits the requests that it may have, for `limitMs` at most.
   * Returns true if that is done, or the job is no such worker; otherwise calls `whenDone` later.
   */
  leave(view: JobView, limitMs: number, whenDone: () => void): boolean {
    if (!isWorker(view)) return true;
    const { id } = view.job;
    const known = this.#leaving.get(id);
    if (known) {
      known.whenDone = whenDone;
      return known.isDone;
    }
    const leaving: Leaving = { isDone: false, whenDone };
    this.#leaving.set(id, leaving);
    void this.#drain(view, performance.now() + limitMs).finally(() => {
      leaving.isDone = true;
      if (this.#closing.signal.aborted) return;
      leaving.whenDone();
      setTimeout(() => this.#leaving.delete(id), this.#times.kept).unref();
    });
    return false;
  }

  close(): void {
    this.#closing.abort();
  }

  async #drain({ job, run }: JobView, until: number): Promise<void> {
    const { pending, log } = this.#options;
    const removal = Math.min(performance.now() + this.#times.removal, until);
    const isRemoved = await this.#await(() => this.#isRemoved(job, run.id, removal), removal);
    if (!isRemoved) log.warn({ job: job.id }, 'a router did not remove a worker that is stopped');
    await this.#pause(Math.min(this.#times.figures, until - performance.now()));
    await this.#await(async () => (await pending(run.id)) === 0, until);
  }

  /** False: it was not so in time. */
  async #await(isSo: () => Promise<boolean>, until: number): Promise<boolean> {
    while (performance.now() < until && !this.#closing.signal.aborted) {
      try {
        if (await isSo()) return true;
      } catch (error) {
        this.#options.log.debug({ err: error }, 'a worker is not known to be without requests yet');
      }
      await this.#pause(Math.min(this.#times.pause, until - performance.now()));
    }
    return false;
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    await pause(Math.max(0, ms), null, { ref: false, signal }).catch(() => {});
  }

  /** Whether no running router has the worker any more, by its own list. */
  async #isRemoved(job: JobRecord, runId: Id, until: number): Promise<boolean> {
    const view = await this.#options.store.runs.byId(runId);
    if (!view) return true;
    const jobs = latestSubmissions(view.jobs);
    // A worker on several nodes is registered at the router by its first one.
    const first = jobs.find((one) => one.replicaNum === job.replicaNum && one.jobNum === 0);
    const group = routerGroup(view.run.spec.configuration)?.name;
    const routers = jobs.filter(
      (one) => one.spec.replica_group === group && one.jobNum === 0 && isJobRunning(one.status),
    );
    const removed = routers.map((router) =>
      this.#isRemovedFrom(router, first?.id ?? job.id, until),
    );
    return (await Promise.all(removed)).every(Boolean);
  }

  async #isRemovedFrom(router: JobRecord, worker: Id, until: number): Promise<boolean> {
    const { store, openPort } = this.#options;
    const instance =
      router.instanceId === null ? null : await store.instances.byId(router.instanceId);
    const hostId = instance?.instance.hostId ?? null;
    if (hostId === null) return true;
    const open = async () =>
      (await openPort(hostId, router.id, router.spec.service_port ?? 0)).stream;
    const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(until - performance.now())));
    const api = new RouterApi(open, AbortSignal.any([this.#closing.signal, timeout]));
    const listed = (await api.workers()).filter(({ jobId }) => jobId === worker);
    if (listed.length === 0) return true;
    // It only accepts the removal here; its list shows when that is done.
    await Promise.all(listed.map(({ id }) => api.remove(id)));
    return (await api.workers()).every(({ jobId }) => jobId !== worker);
  }
}

function isWorker({ job, run }: JobView): boolean {
  const group = routerGroup(run.spec.configuration);
  return group?.router?.type === 'sglang' && job.spec.replica_group !== group.name;
}
