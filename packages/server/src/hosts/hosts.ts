import type {
  HostHealth,
  HostNotice,
  JobMetrics,
  JobState,
  LogFrame,
  PullProgress,
} from '@dstack/contract/agent';
import type { Id, Timestamp } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStore } from '../logs/log-store.ts';
import type { Logger } from '../process/logging.ts';
import { AgentClient, type Dial } from './agent-client.ts';
import { HostLeases } from './host-leases.ts';
import { HostLink, type HostLinkOptions, type HostSink } from './host-link.ts';
import { HostRows } from './host-rows.ts';
import { HostTimes } from './host-times.ts';
import { JobIntake } from './job-intake.ts';
import { JobStreams } from './job-streams.ts';
import { LogIntake } from './log-intake.ts';
import { MetricsBuffer } from './metrics-buffer.ts';
import { NewestOnly } from './newest-only.ts';

export interface HostsOptions {
  readonly store: Store;
  readonly logs: LogStore;
  readonly serverId: string;
  /** Random id of this process, owner of its links. */
  readonly owner: string;
  readonly now: () => Timestamp;
  readonly log: Logger;
  /** A link was made, and the agent's report is stored. */
  readonly onConnected?: (hostId: string) => void;
  /** A program in a job of the host has connected to the server and waits to be fetched. */
  readonly onTunnel?: (hostId: string, jobId: string, tunnel: string) => void;
  /** Results of all health checks of the host. */
  readonly onHealth?: (hostId: string, report: HostHealth) => void;
  /** The provider takes the machine of the host back. */
  readonly onNotice?: (hostId: string, notice: HostNotice) => void;
  /** Receives states of jobs, all of them again whenever a link is made. */
  readonly onState?: (hostId: string, state: JobState) => void;
  /** Whether this server can open no connection, so that it judges no host. */
  readonly isShort?: () => boolean;
  /** Makes the link to an agent; omitted: a WebSocket over the connection that `dial` opens. */
  readonly link?: (options: HostLinkOptions) => Link;
}

/** An agent's stream as the hosts use it. */
export type Link = Pick<HostLink, 'client' | 'start' | 'retryNow' | 'close' | 'send'>;

/** How to reach a host's agent. */
export interface AgentAccess {
  readonly hostId: string;
  readonly dial: Dial;
  readonly token: string;
  /** Path of the agent's socket, for other processes of the server's machine. */
  readonly socket?: string;
  /** Called before each connection; makes the agent answer. */
  readonly prepare: () => Promise<void>;
}

interface Host {
  readonly link: Link;
  readonly intake: LogIntake;
}

/** The links of this server: pushes of agents are stored, and commands are sent. */
export class Hosts {
  readonly #options: HostsOptions;
  readonly #streams: JobStreams;
  readonly #leases: HostLeases;
  readonly #rows: HostRows;
  readonly #metrics: MetricsBuffer;
  readonly #hosts = new Map<string, Host>();
  readonly #awaited = new Map<string, (() => void)[]>();

  constructor(options: HostsOptions) {
    this.#options = options;
    const { store, owner, log } = options;
    this.#streams = new JobStreams(store);
    this.#rows = new HostRows(options);
    this.#metrics = new MetricsBuffer(store.metrics, log);
    this.#leases = new HostLeases({
      ...{ store, owner, log },
      onLost: (hostId) => {
        this.#drop(hostId).catch((error) => {
          log.warn({ host: hostId, err: error }, 'the link to a host was not ended well');
        });
      },
      onOrphan: (hostId) => this.#rows.disconnected(hostId, { error: 'its server has ended' }),
    });
    this.#leases.start();
  }

  /** Opens the link and keeps it open. False: another server is linked to the host. */
  async add(access: AgentAccess): Promise<boolean> {
    const { hostId } = access;
    if (this.#hosts.has(hostId)) return true;
    if (!(await this.#leases.claim(hostId))) return false;
    await this.#rows.opened(hostId);
    if (this.#hosts.has(hostId)) return true;
    const host = this.#makeHost(access);
    this.#hosts.set(hostId, host);
    host.link.start();
    return true;
  }

  /** A link of this server that waits for its next attempt connects at once. */
  retryNow(hostId: string): void {
    this.#hosts.get(hostId)?.link.retryNow();
  }

  /** The same for all links: what prevented them was a lack of this server. */
  retryAll(): void {
    for (const { link } of this.#hosts.values()) link.retryNow();
  }

  #makeHost({ hostId, dial, token, prepare }: AgentAccess): Host {
    const { store, logs, serverId, log } = this.#options;
    const client = new AgentClient({ dial, token });
    const intake = new LogIntake({ store, logs, log, send: (frame) => link.send(frame) });
    const sink = this.#sink(hostId, intake, () => link.client);
    const options = { hostId, serverId, client, prepare, sink, log };
    const link: Link = this.#options.link?.(options) ?? new HostLink(options);
    return { link, intake };
  }

  /** Commands to this host's agent; null when this server has no link to it. */
  client(hostId: string): AgentClient | null {
    return this.#hosts.get(hostId)?.link.client ?? null;
  }

  /** Resolves with the next link to this host, once its agent's report is stored. */
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

  /** Whether another living server is linked to this host: that server sends the commands to it. */
  isElsewhere(hostId: string): Promise<boolean> {
    return this.#leases.isElsewhere(hostId);
  }

  /** Reports a stage of bringing the agent to a host. */
  async reportProgress(hostId: string, text: string): Promise<void> {
    if (this.#leases.holds(hostId)) await this.#rows.progress(hostId, text);
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

  /** The host no longer exists: its row is deleted as well. */
  async delete(hostId: string): Promise<void> {
    await this.remove(hostId);
    await this.#rows.delete(hostId);
  }

  async #drop(hostId: string): Promise<void> {
    const host = this.#hosts.get(hostId);
    this.#hosts.delete(hostId);
    await host?.link.close();
    await host?.intake.close();
    this.#rows.forget(hostId);
  }

  async close(): Promise<void> {
    this.#leases.close();
    await Promise.all([...this.#hosts.keys()].map((hostId) => this.remove(hostId)));
    await this.#metrics.flush();
  }

  #sink(hostId: string, intake: LogIntake, client: () => AgentClient): HostSink {
    const { store, logs, now, log, onState = () => {}, onConnected, onTunnel } = this.#options;
    const streams = this.#streams;
    const parts = { hostId, store, logs, streams, intake, client, onState, now, log };
    const jobs = new JobIntake(parts);
    const { pulls, activities, points } = this.#progressOf(hostId);
    const times = new HostTimes();
    return {
      connected: async (info) => {
        // Ignore updates of a server that has lost its lease on the host.
        if (this.#leases.holds(hostId)) await this.#rows.connected(hostId, info);
        onConnected?.(hostId);
        for (const resolve of this.#awaited.get(hostId) ?? []) resolve();
        this.#awaited.delete(hostId);
      },
      lost: async (error, { failed }) => {
        if (this.#leases.holds(hostId)) await this.#rows.disconnected(hostId, { error, failed });
      },
      sync: (states) => jobs.sync(states),
      states: (states) => jobs.states(states),
      log: async (frame: LogFrame) => {
        const stream = await streams.find(hostId, frame.id);
        return stream ? await intake.take(stream, frame) : { rewindTo: null };
      },
      gap: async (jobId, offset) => {
        const stream = await streams.find(hostId, jobId);
        if (stream) await intake.skip(stream, offset, now());
      },
      pull: (jobId, progress) => pulls.put(jobId, progress),
      metrics: (jobId, { timestamp_micro: at, ...measured }) =>
        points.put(jobId, { ...measured, timestamp_micro: times.serverTime(at, now()) }),
      activity: (jobId, seconds) => activities.put(jobId, seconds),
      tunnel: (jobId, tunnel) => onTunnel?.(hostId, jobId, tunnel),
      health: (report) => {
        if (this.#leases.holds(hostId)) this.#options.onHealth?.(hostId, report);
      },
      notice: (notice) => {
        if (this.#leases.holds(hostId)) this.#options.onNotice?.(hostId, notice);
      },
    };
  }

  /** Frequent reports, which may be lost without harm. */
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
        this.#metrics.add(jobId, metrics),
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
}
