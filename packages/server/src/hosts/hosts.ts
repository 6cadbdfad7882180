import type {
  AgentInfo,
  HostHealth,
  JobMetrics,
  JobState,
  LogFrame,
  PullProgress,
} from '@dstack/contract/agent';
import type { HostRecord, Id, Signal, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Logger } from '../logging.ts';
import type { LogStore } from '../logs/log-store.ts';
import { AgentClient, AgentRefusal, type Dial } from './agent-client.ts';
import { HostLeases } from './host-leases.ts';
import { HostLink, type HostLinkOptions, type HostSink } from './host-link.ts';
import { type JobStream, JobStreams } from './job-streams.ts';
import { LogIntake } from './log-intake.ts';
import { NewestOnly } from './newest-only.ts';

export interface HostsOptions {
  readonly store: Store;
  readonly logs: LogStore;
  readonly serverId: string;
  /** Random id of this process, owner of its links. */
  readonly owner: string;
  readonly now: () => Timestamp;
  readonly log: Logger;
  /** A link was made, and what its agent knows is stored. */
  readonly onConnected?: (hostId: string) => void;
  /** Somebody in a job of the host has connected to the server and waits to be fetched. */
  readonly onTunnel?: (hostId: string, jobId: string, tunnel: string) => void;
  /** Results of all health checks of the host. */
  readonly onHealth?: (hostId: string, report: HostHealth) => void;
  /** Hears what agents say of jobs, all of it again whenever a link is made. */
  readonly onState?: (hostId: string, state: JobState) => void;
  /** Makes the link to an agent; left out: a WebSocket over what `dial` opens. */
  readonly link?: (options: HostLinkOptions) => Link;
}

/** An agent's stream as the hosts use it. */
export type Link = Pick<HostLink, 'client' | 'start' | 'close' | 'send'>;

/** How to reach a host's agent. */
export interface HostAccess {
  readonly hostId: string;
  readonly dial: Dial;
  readonly token: string;
  readonly prepare: () => Promise<void>;
}

interface LinkState {
  readonly connected: boolean;
  readonly info: AgentInfo | null;
  readonly error: string | null;
}

interface Host {
  readonly link: Link;
  readonly intake: LogIntake;
}

/** Points of metrics that wait for the next write: ten for each job of a large server. */
const MAX_POINTS = 100_000;

/** The hosts this server is linked to: their pushes go into the store, commands go out through them. */
export class Hosts {
  readonly #options: HostsOptions;
  readonly #streams: JobStreams;
  readonly #leases: HostLeases;
  readonly #hosts = new Map<string, Host>();
  readonly #awaited = new Map<string, (() => void)[]>();
  /** Why each host was out of reach when that was last logged. */
  readonly #reasons = new Map<string, string>();
  readonly #metrics: { jobId: Id; metrics: JobMetrics }[] = [];
  #flush: NodeJS.Timeout | undefined;

  constructor(options: HostsOptions) {
    this.#options = options;
    this.#streams = new JobStreams(options.store);
    const { store, owner, log } = options;
    this.#leases = new HostLeases({
      ...{ store, owner, log },
      onLost: (hostId) => {
        this.#drop(hostId).catch((error) => {
          log.warn({ host: hostId, err: error }, 'the link to a host was not ended well');
        });
      },
      onOrphan: (hostId) =>
        this.#writeHost(hostId, { connected: false, info: null, error: 'its server has gone' }),
    });
    this.#leases.start();
  }

  /**
   * Opens the link and keeps it open. How long a host has been out of reach counts from here: while
   * no server was there, nobody could have reached it. False: another server is linked to it.
   */
  async add(access: HostAccess): Promise<boolean> {
    const { hostId, dial, token, prepare } = access;
    if (this.#hosts.has(hostId)) return true;
    if (!(await this.#leases.claim(hostId))) return false;
    const { store, logs, serverId, log } = this.#options;
    const client = new AgentClient({ dial, token });
    const intake = new LogIntake({ store, logs, log, send: (frame) => link.send(frame) });
    const sink = this.#sink(hostId, intake, () => link.client);
    const options = { hostId, serverId, client, prepare, sink, log };
    const link: Link = this.#options.link?.(options) ?? new HostLink(options);
    await this.#saveHost(
      hostId,
      { connected: false, info: null, error: 'not connected yet' },
      true,
    );
    this.#hosts.set(hostId, { link, intake });
    link.start();
    return true;
  }

  /** Commands to this host's agent; null when this server has no link to it. */
  client(hostId: string): AgentClient | null {
    return this.#hosts.get(hostId)?.link.client ?? null;
  }

  /** Resolves with the next link to this host; what its agent is is stored by then. */
  nextConnection(hostId: string): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited.set(hostId, [...(this.#awaited.get(hostId) ?? []), resolve]);
    });
  }

  /** Hosts that this server is linked to, or tries to be. */
  get ids(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  has(hostId: string): boolean {
    return this.#hosts.has(hostId);
  }

  /** Whether another living server is linked to this host: commands to it are that server's. */
  isElsewhere(hostId: string): Promise<boolean> {
    return this.#leases.isElsewhere(hostId);
  }

  /** Ends the link and lets no other server open one, until `remove`. */
  async hold(hostId: string): Promise<void> {
    await this.#leases.claim(hostId);
    await this.#drop(hostId);
  }

  async remove(hostId: string): Promise<void> {
    await this.#drop(hostId);
    await this.#leases.release(hostId);
  }

  async #drop(hostId: string): Promise<void> {
    const host = this.#hosts.get(hostId);
    this.#hosts.delete(hostId);
    this.#reasons.delete(hostId);
    await host?.link.close();
    await host?.intake.close();
  }

  async close(): Promise<void> {
    this.#leases.close();
    await Promise.all([...this.#hosts.keys()].map((hostId) => this.remove(hostId)));
    await this.#saveMetrics();
  }

  #sink(hostId: string, intake: LogIntake, client: () => AgentClient): HostSink {
    const { pulls, activities, points } = this.#progressOf(hostId);
    return {
      connected: async (info) => {
        await this.#saveHost(hostId, { connected: true, info, error: null });
        this.#options.onConnected?.(hostId);
        for (const resolve of this.#awaited.get(hostId) ?? []) resolve();
        this.#awaited.delete(hostId);
      },
      lost: async (error) => {
        this.#logLost(hostId, error);
        await this.#saveHost(hostId, { connected: false, info: null, error });
      },
      sync: (jobs) => this.#sync(hostId, client(), intake, jobs),
      states: (states) => this.#states(hostId, intake, states),
      log: async (frame: LogFrame) => {
        const stream = await this.#streams.find(hostId, frame.id);
        return stream ? await intake.take(stream, frame) : { rewindTo: null };
      },
      gap: async (jobId, offset) => {
        const stream = await this.#streams.find(hostId, jobId);
        if (stream) await intake.skip(stream, offset, this.#options.now());
      },
      pull: (jobId, progress) => pulls.put(jobId, progress),
      metrics: (jobId, metrics) => points.put(jobId, metrics),
      activity: (jobId, seconds) => activities.put(jobId, seconds),
      tunnel: (jobId, tunnel) => this.#options.onTunnel?.(hostId, jobId, tunnel),
      health: (report) => {
        if (this.#leases.holds(hostId)) this.#options.onHealth?.(hostId, report);
      },
    };
  }

  /** What a host reports all the time, and what is lost without harm. */
  #progressOf(hostId: string) {
    const { reports } = this.#options.store;
    return {
      pulls: this.#ofJobs<PullProgress>(hostId, 'pull progress not stored', (jobId, progress) =>
        reports.savePull(jobId, progress),
      ),
      activities: this.#ofJobs<number>(hostId, 'activity of a job not stored', (jobId, seconds) =>
        reports.saveActivity(jobId, seconds),
      ),
      points: this.#ofJobs<JobMetrics>(hostId, 'metrics not stored', async (jobId, metrics) =>
        this.#addMetrics(jobId, metrics),
      ),
    };
  }

  #ofJobs<T>(hostId: string, failure: string, save: (jobId: Id, value: T) => Promise<unknown>) {
    return new NewestOnly<T>({
      write: async (jobId, value) => {
        if (await this.#streams.find(hostId, jobId)) await save(jobId, value);
      },
      onError: (job, error) => this.#options.log.warn({ job, err: error }, failure),
    });
  }

  /** A state is stored, and whoever waits for it is woken, before the agent may forget it. */
  async #states(hostId: string, intake: LogIntake, states: readonly JobState[]): Promise<void> {
    for (const state of states) {
      const stream = await this.#streams.find(hostId, state.id);
      if (stream) await this.#saveState(hostId, intake, stream, state);
    }
  }

  async #saveState(hostId: string, intake: LogIntake, stream: JobStream, state: JobState) {
    const { store, now } = this.#options;
    this.#options.onState?.(hostId, state);
    const signals: Signal[] = [{ kind: 'run', id: stream.runId }];
    await store.reports.saveState(hostId, state, now(), { signals });
    if (state.phase === 'exited') await intake.ended(stream, state.log_end);
  }

  async #sync(
    hostId: string,
    client: AgentClient,
    intake: LogIntake,
    jobs: readonly JobState[],
  ): Promise<Readonly<Record<string, number>>> {
    const lengths: Record<string, number> = {};
    for (const state of jobs) {
      const stream = await this.#streams.find(hostId, state.id);
      if (!stream) await this.#dropUnknown(client, state);
      else {
        await this.#saveState(hostId, intake, stream, state);
        lengths[state.id] = await this.#options.logs.length(stream.ref);
      }
    }
    await this.#reportLost(hostId, intake, new Set(jobs.map((state) => state.id)));
    return lengths;
  }

  /**
   * Jobs that the agent had and does not know any more (its state was deleted): nobody will ever say
   * how they ended, so the server does.
   */
  async #reportLost(hostId: string, intake: LogIntake, known: ReadonlySet<Id>): Promise<void> {
    const { store, logs } = this.#options;
    const missing = (await store.jobs.onHost(hostId)).filter((job) => !known.has(job.id));
    for (const { jobId, state } of await store.reports.byJobs(missing.map((job) => job.id))) {
      const stream = await this.#streams.find(hostId, jobId);
      if (!stream || state.phase === 'exited') continue;
      const message = 'The agent of the host has lost the job';
      await this.#saveState(hostId, intake, stream, {
        ...state,
        seq: state.seq + 1,
        phase: 'exited',
        exit: { status: null, reason: 'executor_error', message },
        log_end: await logs.length(stream.ref),
      });
    }
  }

  /** A job this database has never heard of is nobody's: it is killed and forgotten. */
  async #dropUnknown(client: AgentClient, state: JobState): Promise<void> {
    this.#options.log.warn({ job: state.id }, 'agent runs a job that is not known; ending it');
    const stop = { grace: false, reason: 'terminated_by_server', message: null };
    try {
      if (state.phase !== 'exited') await client.stopJob(state.id, stop);
      await client.deleteJob(state.id);
    } catch (error) {
      // Still dying: the next sync finds it again and deletes it then.
      if (!(error instanceof AgentRefusal)) throw error;
    }
  }

  /** What a server says that is not linked to the host any more counts no more. */
  async #saveHost(hostId: string, link: LinkState, anew = false): Promise<void> {
    if (this.#leases.holds(hostId)) await this.#writeHost(hostId, link, anew);
  }

  async #writeHost(hostId: string, link: LinkState, anew = false): Promise<void> {
    const { store, now, log } = this.#options;
    const before = await store.hosts.byId(hostId);
    if (before?.connected === false && !link.connected && !anew) {
      await this.#writeReason(before, link.error);
      return;
    }
    const record: HostRecord = {
      id: hostId,
      connected: link.connected,
      since: now(),
      facts: link.info?.host ?? before?.facts ?? null,
      executor: link.info?.executor ?? before?.executor ?? null,
      error: link.error,
    };
    await store.hosts.save(record);
    // Looked for only now: who is bound to the host later than this reads what was just stored.
    await store.engine.signal(await this.#dependants(hostId));
    if (!link.connected) return;
    this.#reasons.delete(hostId);
    log.info({ host: hostId, executor: record.executor }, 'agent connected');
  }

  /** Attempts go on without end; only a new reason is news. */
  #logLost(hostId: string, reason: string): void {
    if (this.#reasons.get(hostId) === reason) return;
    this.#reasons.set(hostId, reason);
    this.#options.log.warn({ host: hostId, reason }, 'agent out of reach');
  }

  /** Still out of reach, but for another reason than before. */
  async #writeReason(host: HostRecord, error: string | null): Promise<void> {
    if (host.error === error) return;
    const instances = await this.#options.store.instances.onHost(host.id);
    const signals = instances.map(({ id }): Signal => ({ kind: 'instance', id }));
    await this.#options.store.hosts.save({ ...host, error }, { signals });
  }

  /** Everything that waits for this host: its instances, their runs, and effects held up by it. */
  async #dependants(hostId: string): Promise<Signal[]> {
    const { store } = this.#options;
    const [jobs, instances, intents] = await Promise.all([
      store.jobs.onHost(hostId),
      store.instances.onHost(hostId),
      store.engine.pendingIntents(),
    ]);
    return [
      ...jobs.map((job) => ({ kind: 'run' as const, id: job.runId })),
      ...instances.map((instance) => ({ kind: 'instance' as const, id: instance.id })),
      ...intents.map((intent) => ({ kind: 'intent' as const, id: intent.key })),
    ];
  }

  /** Points of all jobs of a moment are written together. */
  #addMetrics(jobId: Id, metrics: JobMetrics): void {
    if (this.#metrics.length < MAX_POINTS) this.#metrics.push({ jobId, metrics });
    this.#flush ??= setTimeout(() => void this.#saveMetrics(), 1000).unref();
  }

  async #saveMetrics(): Promise<void> {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const points = this.#metrics.splice(0);
    if (points.length === 0) return;
    try {
      await this.#options.store.metrics.addJobPoints(points);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'metrics not stored');
    }
  }
}
