import { readFileSync, rmSync } from 'node:fs';
import {
  type AgentLease,
  LEASE_ENDINGS,
  type LeaseEnding,
  type StoredLease,
  type Uptime,
} from '@dstack/contract/agent';
import { writeWhole } from '../host/durable-file.ts';
import type { EventLogger } from '../host/log.ts';
import type { AgentJob } from './job.ts';
import { isLive } from './job-phase.ts';
import { leaseStep } from './lease-rules.ts';

export interface ServerLeaseOptions {
  /** Keeps the lease over restarts of the agent. */
  readonly path: string;
  readonly jobs: () => readonly Pick<AgentJob, 'phase' | 'record' | 'stop'>[];
  readonly uptime: () => Uptime;
  readonly log: EventLogger;
  /** The lease has ended, and no job lives. Called again once a minute while this process lives. */
  readonly onEnd: (ending: LeaseEnding) => void;
}

/** A renewal is stored this often at most, in seconds; a lost one only shortens the lease. */
const STORE_EVERY = 60;

/** Timers stand still while a machine sleeps, its uptime does not. */
const LOOK_EVERY = 60;

/**
 * Ends a machine that its server has lost, because otherwise nothing would end a machine that costs
 * money. Only machines with a lease end; an agent gets it from its server.
 */
export class ServerLease {
  readonly #options: ServerLeaseOptions;
  readonly #startedAt: Uptime;
  #lease: StoredLease | null;
  #stored: Uptime | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ServerLeaseOptions) {
    this.#options = options;
    this.#startedAt = options.uptime();
    this.#lease = readLease(options);
    if (this.#lease) options.log.info('lease', { seconds: this.#lease.seconds });
  }

  /** The server that owns this agent has set the lease again. */
  grant({ seconds, ending }: AgentLease): void {
    const known = LEASE_ENDINGS.find((one) => one === ending);
    if (seconds !== null && known === undefined) {
      this.#options.log.info('lease ignored: its ending is not known', { ending });
    }
    const renewed = this.#options.uptime();
    this.#lease =
      seconds === null || known === undefined ? null : { seconds, ending: known, renewed };
    this.#store();
    this.look();
  }

  /** Called for each sign of life from the server. */
  renew(): void {
    if (this.#lease === null) return;
    const renewed = this.#options.uptime();
    this.#lease = { ...this.#lease, renewed };
    const age = renewed.seconds - (this.#stored?.seconds ?? 0);
    if (age >= Math.min(STORE_EVERY, this.#lease.seconds / 10)) this.#store();
  }

  /** Carries out the present step, and arms a timer for the next one. */
  look(): void {
    this.close();
    if (this.#lease === null) return;
    const jobs = this.#options.jobs().filter(({ phase }) => isLive(phase));
    const state = { hasJobs: jobs.length > 0, startedAt: this.#startedAt };
    const step = leaseStep(this.#lease, this.#options.uptime(), state);
    if (step.kind === 'end') {
      this.#options.log.info('the server has not been here for the time of the lease', {
        seconds: this.#lease.seconds,
      });
      // An end may fail, and nothing else would end the machine.
      this.#lookAfter(LOOK_EVERY);
      this.#options.onEnd(this.#lease.ending);
      return;
    }
    if (step.kind === 'stop-jobs') this.#stop(jobs, step.grace, this.#lease.seconds);
    // The end of a job may change the next step.
    if (step.seconds !== null) this.#lookAfter(step.seconds);
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lookAfter(seconds: number): void {
    const wait = Math.min(seconds, LOOK_EVERY);
    this.#timer = setTimeout(() => this.look(), Math.ceil(wait * 1000)).unref();
  }

  /** A job that runs and has a `max_duration` ends by itself. */
  #stop(jobs: ReturnType<ServerLeaseOptions['jobs']>, grace: boolean, seconds: number): void {
    for (const job of jobs) {
      if (job.phase === 'running' && job.record.spec.max_duration !== null) continue;
      const message = `The host has had no contact with its server for ${2 * seconds} seconds`;
      job.stop({ grace, reason: 'terminated_by_server', message });
    }
  }

  #store(): void {
    const { path, log } = this.#options;
    this.#stored = this.#lease?.renewed ?? null;
    try {
      if (this.#lease === null) rmSync(path, { force: true });
      else writeWhole(path, `${JSON.stringify(this.#lease)}\n`);
    } catch (error) {
      log.error('the lease could not be stored', error);
    }
  }
}

/** Null if there is none. An unreadable lease counts as none, and the server sends it again. */
function readLease({ path, log }: ServerLeaseOptions): StoredLease | null {
  try {
    const { seconds, ending, renewed } = JSON.parse(readFileSync(path, 'utf8')) as StoredLease;
    const isValid =
      typeof seconds === 'number' &&
      LEASE_ENDINGS.includes(ending) &&
      typeof renewed.bootId === 'string' &&
      typeof renewed.seconds === 'number';
    if (isValid) return { seconds, ending, renewed };
    throw new Error('it is not as it was written');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing) log.error('the lease could not be read', error);
    return null;
  }
}
