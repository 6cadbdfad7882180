import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import {
  acceptedJob,
  type HostGpu,
  type JobKeys,
  type JobSpecForAgent,
  type JobState,
  type NoticeJob,
  type PullProgress,
  type PutJobAnswer,
  type StartJob,
  type StopJob,
} from '@dstack/contract/agent';
import type { Executor } from '../executor/executor.ts';
import { JobFolder } from '../executor/job-folder.ts';
import { writeDurably } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';
import { AgentError } from './agent-error.ts';
import { GpuPool } from './gpu-pool.ts';
import { AgentJob, type JobServices } from './job.ts';
import type { OpenJobAccess } from './job-access.ts';
import { isLive } from './job-phase.ts';
import type { JobPortConnection } from './job-ports.ts';
import type { JobReach } from './job-reach.ts';
import { type AgentJobRecord, jobsDirectory, readRecords } from './job-record.ts';
import { saveUpload } from './job-uploads.ts';
import { LongTimer } from './long-timer.ts';
import { Tombstones } from './tombstones.ts';
import { withServerAccess } from './with-server-access.ts';

/** How long the output of a deleted job can still be read over SSH. */
const LINGER_MS = 120_000;
/** Time until a failed removal is tried again: a full disk may have space by then. */
const AGAIN_MS = 60_000;

export interface RegistryOptions {
  readonly stateDir: string;
  readonly socketDir: string;
  /** Where the files of jobs with their own users lie; null = with their records. */
  readonly jobHomes: string | null;
  readonly executor: Executor;
  readonly gpus: readonly HostGpu[];
  readonly log: EventLogger;
  readonly openAccess: OpenJobAccess;
}

/** Receives the changes of jobs, for example for an open stream. */
export interface JobListener {
  onState(number: number, state: JobState): void;
  onPull(id: string, progress: PullProgress): void;
  onPut(job: AgentJob): void;
  onDeleted(id: string): void;
  onTunnel(id: string, tunnel: string): void;
}

/** All jobs of this agent and its predecessors. */
export class JobRegistry {
  readonly #options: RegistryOptions;
  readonly #jobsDir: string;
  readonly #jobs = new Map<string, AgentJob>();
  readonly #listeners = new Set<JobListener>();
  readonly #gpus: GpuPool;
  readonly #openAccess: OpenJobAccess;
  /** Deleted jobs of which nothing else is left. */
  readonly #tombstones: Tombstones;
  readonly #removalTimers = new Map<string, LongTimer>();
  readonly #endListeners = new Set<() => void>();
  #lastNumber = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#jobsDir = jobsDirectory(options.stateDir);
    this.#tombstones = new Tombstones(join(options.stateDir, 'deleted-jobs'));
    this.#gpus = new GpuPool(options.gpus);
    this.#openAccess = withServerAccess(options, (id, tunnel) => {
      for (const listener of this.#listeners) listener.onTunnel(id, tunnel);
    });
    mkdirSync(this.#jobsDir, { recursive: true, mode: 0o700 });
    mkdirSync(options.socketDir, { recursive: true, mode: 0o700 });
  }

  /** Adopts the jobs of earlier agents, before the first request is answered. */
  async recover(): Promise<void> {
    const broken = (path: string, error: unknown): void =>
      this.#options.log.error('unreadable job record', error, { path });
    this.#lastNumber = readNumber(this.#counterFile);
    for (const record of readRecords(this.#jobsDir, broken)) {
      this.#lastNumber = Math.max(this.#lastNumber, record.stateNumber);
      const job = this.#add(record);
      if (record.deletedAt !== null) this.#at(job, Date.now(), () => this.#removeLeftovers(job));
    }
    const known = { has: (id: string) => this.#jobs.get(id)?.record.deletedAt === null };
    await this.#options.executor
      .sweep(known)
      .catch((error) => this.#options.log.error('sweep failed', error));
    for (const job of this.#jobs.values()) job.go();
  }

  /** Jobs that were not deleted. */
  get jobs(): AgentJob[] {
    return [...this.#jobs.values()].filter((job) => job.record.deletedAt === null);
  }

  /** Number of the newest `state` frame. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  get hasLiveJobs(): boolean {
    return this.jobs.some((job) => isLive(job.phase));
  }

  /** Whether a live job mounts the volume. */
  mountsVolume(id: string): boolean {
    return this.jobs.some(
      ({ phase, record }) =>
        isLive(phase) && record.spec.mounts.some(({ volume }) => volume?.id === id),
    );
  }

  listen(listener: JobListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `callback` each time a job has ended. */
  onJobEnded(callback: () => void): void {
    this.#endListeners.add(callback);
  }

  /**
   * A repeated `PUT` changes only the keys of users, and returns the present state. One of a deleted job
   * starts nothing.
   */
  put(spec: JobSpecForAgent): PutJobAnswer {
    const known = this.#jobs.get(spec.id);
    if (known) {
      known.reach.authorizeUsers(spec.authorized_keys.user);
      if (known.record.deletedAt === null) this.#notifyPut(known);
      return known.answer;
    }
    if (this.#tombstones.has(spec.id)) {
      return { state: deletedJob(spec.id), missing: { archives: [], code: false } };
    }
    const folder = this.#folder(spec.id);
    folder.make();
    const number = this.#nextNumber();
    const record = firstRecord(spec, number, this.#options.executor.kind);
    writeDurably(folder.record, JSON.stringify(record));
    const job = this.#add(record);
    this.#notifyPut(job);
    this.#notifyState(number, job.state);
    job.go();
    return job.answer;
  }

  async putArchive(id: string, archiveId: string, body: Readable): Promise<void> {
    const job = this.#get(id);
    const archive = job.record.spec.file_archives.find((each) => each.id === archiveId);
    if (!archive)
      throw new AgentError(404, 'unknown_archive', `The job has no archive ${archiveId}`);
    await this.#upload(job, body, job.folder.archive(archiveId), archive.sha256);
  }

  async putCode(id: string, body: Readable): Promise<void> {
    const job = this.#get(id);
    const sha256 = job.record.spec.repo?.code_sha256;
    if (!sha256) throw new AgentError(404, 'no_code', 'The job expects no code');
    await this.#upload(job, body, job.folder.code, sha256);
  }

  authorize({ jobs }: JobKeys): void {
    for (const [id, keys] of Object.entries(jobs)) this.#jobs.get(id)?.reach.authorizeUsers(keys);
  }

  start(id: string, order: StartJob): JobState {
    const job = this.#get(id);
    job.start(order);
    return job.state;
  }

  stop(id: string, order: StopJob): JobState {
    if (this.#tombstones.has(id)) return deletedJob(id);
    const job = this.#get(id);
    job.stop(order);
    return job.state;
  }

  notice(id: string, order: NoticeJob): JobState {
    if (this.#tombstones.has(id)) return deletedJob(id);
    const job = this.#get(id);
    job.notice(order);
    return job.state;
  }

  withdrawNotice(id: string): JobState {
    if (this.#tombstones.has(id)) return deletedJob(id);
    const job = this.#get(id);
    job.withdrawNotice();
    return job.state;
  }

  /** Stops every job that has not ended. */
  stopAll(order: StopJob): void {
    for (const job of this.jobs) if (isLive(job.phase)) job.stop(order);
  }

  /** Throws `AgentError` `unknown_job`. */
  state(id: string): JobState {
    if (this.#tombstones.has(id)) return deletedJob(id);
    return this.#get(id).state;
  }

  /** Access to the job, for commands of users. Throws `AgentError`: `unknown_job`, `not_running`. */
  running(id: string): JobReach {
    const { reach } = this.#get(id);
    reach.sessionHost();
    return reach;
  }

  /** Throws `AgentError`: `unknown_job`, `not_running`, `port_refused`. */
  async dialPort(id: string, port: number): Promise<JobPortConnection> {
    return await this.#get(id).reach.dialPort(port);
  }

  /** Connects to the job's own SSH server. Throws `AgentError`: `unknown_job`, `not_running`. */
  async dialSsh(id: string): Promise<Duplex> {
    return await this.#get(id).reach.dialSsh();
  }

  /**
   * Takes a connection from the job to the server. Throws `AgentError`: `unknown_job`,
   * `unknown_tunnel`.
   */
  takeTunnel(id: string, tunnel: string): Duplex {
    const found = this.#get(id).reach.access?.tunnels?.take(tunnel);
    if (!found)
      throw new AgentError(404, 'unknown_tunnel', `No connection ${tunnel} waits for the server`);
    return found;
  }

  async remove(id: string): Promise<void> {
    if (this.#tombstones.has(id)) return;
    const job = this.#get(id);
    if (isLive(job.phase)) throw new AgentError(409, 'job_alive', `The job is ${job.phase}`);
    if (job.record.deletedAt !== null) return;
    await job.discard();
    for (const listener of this.#listeners) listener.onDeleted(id);
    // Attached users may still read the end of the output.
    this.#at(job, Date.now() + LINGER_MS, () => this.#removeLeftovers(job));
  }

  /** Releases all jobs without ending them. */
  async close(): Promise<void> {
    for (const timer of this.#removalTimers.values()) timer.clear();
    await Promise.all([...this.#jobs.values()].map((job) => job.close()));
  }

  #get(id: string): AgentJob {
    const job = this.#jobs.get(id);
    if (!job) throw new AgentError(404, 'unknown_job', `No job ${id} exists on this host`);
    return job;
  }

  async #upload(job: AgentJob, body: Readable, path: string, sha256: string): Promise<void> {
    if (job.phase !== 'accepted') {
      body.resume();
      return;
    }
    await saveUpload(body, path, sha256);
    job.go();
  }

  async #removeLeftovers(job: AgentJob): Promise<void> {
    await job.close();
    await job.folder.removeContents();
    writeDurably(this.#counterFile, String(this.#lastNumber));
    this.#tombstones.add(job.id, job.record.deletedAt ?? Date.now());
    await job.folder.remove();
    this.#jobs.delete(job.id);
    this.#removalTimers.get(job.id)?.clear();
    this.#removalTimers.delete(job.id);
  }

  #at(job: AgentJob, at: number, action: () => void | Promise<void>): void {
    const timer = this.#removalTimers.get(job.id) ?? new LongTimer();
    this.#removalTimers.set(job.id, timer);
    timer.set(at, () => void this.#attempt(job, action));
  }

  async #attempt(job: AgentJob, action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.log.error('the leftovers of a job were not removed', error, { job: job.id });
      this.#at(job, Date.now() + AGAIN_MS, action);
    }
  }

  #add(record: AgentJobRecord): AgentJob {
    const { id } = record.spec;
    const job = new AgentJob(record, this.#folder(id), this.#services(id));
    this.#jobs.set(id, job);
    return job;
  }

  /** Keeps the highest number when the record with it is removed. */
  get #counterFile(): string {
    return join(this.#options.stateDir, 'last-state-number');
  }

  #folder(id: string): JobFolder {
    const { socketDir, jobHomes } = this.#options;
    return new JobFolder(this.#jobsDir, id, socketDir, jobHomes);
  }

  #services(id: string): JobServices {
    return {
      executor: this.#options.executor,
      log: this.#options.log,
      openAccess: this.#openAccess,
      nextNumber: () => this.#nextNumber(),
      onState: (number, state) => this.#notifyState(number, state),
      onPull: (job, progress) => {
        for (const listener of this.#listeners) listener.onPull(job, progress);
      },
      takeGpus: (count) => this.#gpus.take(count, this.#takenBut(id)),
      onEnded: () => {
        for (const callback of this.#endListeners) callback();
      },
    };
  }

  #takenBut(id: string): HostGpu[] {
    return this.jobs
      .filter((job) => job.id !== id && isLive(job.phase))
      .flatMap((job) => [...job.record.gpus]);
  }

  #notifyState(number: number, state: JobState): void {
    for (const listener of this.#listeners) listener.onState(number, state);
  }

  #notifyPut(job: AgentJob): void {
    for (const listener of this.#listeners) listener.onPut(job);
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }
}

function firstRecord(
  spec: JobSpecForAgent,
  stateNumber: number,
  executor: Executor['kind'],
): AgentJobRecord {
  const state = acceptedJob(spec.id);
  return {
    spec,
    executor,
    state,
    stateNumber,
    cluster: spec.cluster,
    gpus: [],
    stop: null,
    deadline: null,
    account: null,
    runningAt: null,
    deletedAt: null,
  };
}

/** All that is known of a job that was deleted. */
function deletedJob(id: string): JobState {
  const exit = { status: null, reason: null, message: 'The job was deleted' };
  return { ...acceptedJob(id), phase: 'exited', exit };
}

function readNumber(path: string): number {
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) || 0 : 0;
}
