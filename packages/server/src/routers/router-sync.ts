import type { Duplex } from 'node:stream';
import type { JobState } from '@dstack/contract/agent';
import { isJobFinished, isJobRunning } from '@dstack/contract/status';
import { type Id, type JobRecord, latestSubmissions, nodeAddress, routerGroup } from '@dstack/core';
import type { RunView, Store } from '@dstack/store';
import type { PortConnection } from '../hosts/agent-client.ts';
import type { Logger } from '../process/logging.ts';
import { type RegisteredWorker, RouterApi } from './router-api.ts';

export interface RouterSyncOptions {
  readonly store: Pick<Store, 'jobs' | 'runs' | 'instances'>;
  /** Opens a connection to a port of a job, by the link to its host. */
  readonly openPort: (hostId: string, jobId: Id, port: number) => Promise<PortConnection>;
  /** Whether this server has the link to the host, not another one. */
  readonly isLinked: (hostId: string) => boolean;
  readonly log: Logger;
}

/** A router that runs on a host that this server is linked to. */
interface Router {
  readonly hostId: string;
  readonly runId: Id;
  readonly closing: AbortController;
  timer: NodeJS.Timeout | null;
  /** A round is in progress; `again`: something has changed since it began. */
  isBusy: boolean;
  again: boolean;
  /** Rounds in a row after which a worker was still missing. */
  misses: number;
}

/** A worker that is not registered yet is tried again after this long (ms), with growing delays. */
const FIRST_MISS_MS = 500;
const GROWTH = 1.5;
const LONGEST_MISS_MS = 10_000;

/** How often (ms) a router is looked at without a change: one that was restarted knows no workers. */
const SETTLED_MS = 30_000;

/** Workers that are asked at the same time. */
const AT_ONCE = 8;

/**
 * Registers workers at routers of the kind `smg`: the running jobs in the other groups of their
 * service. Acts on each change of the run, and is the task of the server that is linked to the
 * router's host.
 */
export class RouterSync {
  readonly #options: RouterSyncOptions;
  readonly #routers = new Map<Id, Router>();
  #isClosed = false;

  constructor(options: RouterSyncOptions) {
    this.#options = options;
  }

  /** Agents repeat the states of their jobs after each connection. */
  readonly onJobState = (hostId: string, { id, phase }: JobState): void => {
    if (phase === 'running') void this.#begin(hostId, id);
    else if (phase === 'exited') this.#end(id);
  };

  /** The run has changed: its workers may be others. */
  changed(runId: Id): void {
    for (const [jobId, router] of this.#routers) {
      if (router.runId !== runId) continue;
      router.misses = 0;
      this.#sync(jobId, router);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#routers.keys()]) this.#end(id);
  }

  async #begin(hostId: string, jobId: Id): Promise<void> {
    if (this.#routers.get(jobId)?.hostId === hostId) return;
    // The agent reports the job again when the link is restored.
    const view = await this.#options.store.jobs.byId(jobId).catch(() => null);
    const group = view && routerGroup(view.run.spec.configuration);
    if (view === null || group?.router?.type !== 'sglang') return;
    if (this.#isClosed || view.job.jobNum !== 0) return;
    if (view.job.spec.replica_group !== group.name) return;
    this.#end(jobId);
    const router: Router = {
      ...{ hostId, runId: view.run.id, closing: new AbortController(), timer: null },
      ...{ isBusy: false, again: false, misses: 0 },
    };
    this.#routers.set(jobId, router);
    this.#sync(jobId, router);
  }

  #end(jobId: Id): void {
    const router = this.#routers.get(jobId);
    this.#routers.delete(jobId);
    if (!router) return;
    router.closing.abort();
    if (router.timer) clearTimeout(router.timer);
  }

  #sync(jobId: Id, router: Router): void {
    if (router.timer) clearTimeout(router.timer);
    router.timer = null;
    router.again = router.isBusy;
    if (router.isBusy) return;
    router.isBusy = true;
    void this.#round(jobId, router).then((outcome) => {
      router.isBusy = false;
      if (this.#routers.get(jobId) !== router) return;
      if (outcome === 'over') this.#end(jobId);
      else if (router.again) this.#sync(jobId, router);
      else this.#later(jobId, router, outcome);
    });
  }

  #later(jobId: Id, router: Router, outcome: 'settled' | 'missing'): void {
    const wait = Math.min(FIRST_MISS_MS * GROWTH ** router.misses, LONGEST_MISS_MS);
    router.misses = outcome === 'settled' ? 0 : router.misses + 1;
    const delay = outcome === 'settled' ? SETTLED_MS : wait;
    router.timer = setTimeout(() => this.#sync(jobId, router), delay).unref();
  }

  /** `missing`: a worker or the router itself did not answer. */
  async #round(jobId: Id, router: Router): Promise<'settled' | 'missing' | 'over'> {
    const { store, isLinked, log } = this.#options;
    try {
      const view = await store.runs.byId(router.runId);
      const job = view?.jobs.find(({ id }) => id === jobId);
      // Its end may have been reported before it was known here.
      if (!view || !job || isJobFinished(job.status) || !isLinked(router.hostId)) return 'over';
      const open = () => this.#open(router.hostId, job);
      const api = new RouterApi(open, router.closing.signal);
      return await this.#register(view, api, router);
    } catch (error) {
      // Usual while the router starts.
      log.debug({ job: jobId, err: error }, 'the workers of a router were not compared');
      return 'missing';
    }
  }

  async #register(view: RunView, api: RouterApi, { closing }: Router) {
    const workers = workersOf(view);
    const registered = await api.workers();
    const isGone = ({ jobId }: RegisteredWorker): boolean =>
      jobId !== null && !workers.some(({ id }) => id === jobId);
    const results = await Promise.all(
      registered.filter(isGone).map((one) => this.#try(one.jobId, () => api.remove(one.id))),
    );
    const missing = workers.filter((job) => !registered.some((one) => isOf(one, job)));
    for (let start = 0; start < missing.length; start += AT_ONCE) {
      const added = missing
        .slice(start, start + AT_ONCE)
        .map((job) => this.#try(job.id, () => this.#add(api, job, closing.signal)));
      results.push(...(await Promise.all(added)));
    }
    return results.every(Boolean) ? 'settled' : 'missing';
  }

  async #add(api: RouterApi, job: JobRecord, closing: AbortSignal): Promise<void> {
    const address = nodeAddress(job);
    const port = job.spec.service_port ?? null;
    const instance =
      job.instanceId === null ? null : await this.#options.store.instances.byId(job.instanceId);
    const hostId = instance?.instance.hostId ?? null;
    if (address === null || port === null || hostId === null) throw new Error('no address yet');
    const { workerKind } = await import('./worker-kind.ts');
    let own: string | null = null;
    const open = async () => {
      const { stream, ownAddress } = await this.#options.openPort(hostId, job.id, port);
      own = ownAddress;
      return stream;
    };
    const kind = await workerKind(open, closing);
    // Jobs on the server's machine share its address, and each listens on one of its own.
    await api.add({ jobId: job.id, address: own ?? address, port, kind });
    this.#options.log.info({ job: job.id, worker: kind.role }, 'worker registered at its router');
  }

  async #open(hostId: string, { id, spec }: JobRecord): Promise<Duplex> {
    return (await this.#options.openPort(hostId, id, spec.service_port ?? 0)).stream;
  }

  /** False if it failed, as is usual while an engine loads its model. */
  async #try(jobId: Id | null, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      this.#options.log.debug({ job: jobId, err: error }, 'a router does not have its worker yet');
      return false;
    }
  }
}

/** The running jobs of the other groups, ready or not: the router itself asks whether they serve. */
function workersOf({ run, jobs }: RunView): JobRecord[] {
  const router = routerGroup(run.spec.configuration);
  return latestSubmissions(jobs).filter(
    (job) =>
      job.jobNum === 0 && isJobRunning(job.status) && job.spec.replica_group !== router?.name,
  );
}

/** Registered by dstack for this job, or by the router's own command line at its address. */
function isOf({ jobId, url }: RegisteredWorker, job: JobRecord): boolean {
  if (jobId !== null) return jobId === job.id;
  if (!URL.canParse(url)) return false;
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === nodeAddress(job) && Number(port || 80) === job.spec.service_port;
}
