import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import type { Execution } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import type { SessionHost } from '../executor/session-host.ts';
import { monotonicMs } from '../host/clock.ts';
import { dialTcp } from '../network/dial.ts';
import type { SpoolReader } from '../spool/spool-reader.ts';
import { AgentError } from './agent-error.ts';
import type { JobAccess, OpenJobAccess } from './job-access.ts';
import { type JobPortConnection, JobPorts } from './job-ports.ts';
import type { RecordedState } from './recorded-state.ts';
import { UserSessions } from './user-sessions.ts';

/** Where the SSH servers of jobs listen. */
const LOOPBACK = '127.0.0.1';

export interface JobReachParts {
  readonly state: RecordedState;
  readonly folder: JobFolder;
  readonly logs: SpoolReader;
  readonly openAccess: OpenJobAccess;
  /** Null before the job's start. */
  readonly execution: () => Execution | null;
  /** Resolves when the job has started, or can no longer start. */
  readonly started: Promise<void>;
}

/** The ways to a job from outside: its SSH server, its ports, and commands of users beside it. */
export class JobReach {
  /** Commands of users that the server has started. */
  readonly sessions = new UserSessions();
  readonly #parts: JobReachParts;
  readonly #ports = new JobPorts();
  #access: JobAccess | null = null;
  #observedSince = monotonicMs();

  constructor(parts: JobReachParts) {
    this.#parts = parts;
  }

  get access(): JobAccess | null {
    return this.#access;
  }

  /**
   * Since when a connection of a user would have been noticed, by `monotonicMs`: the start of the process, or
   * of this agent.
   */
  get observedSince(): number {
    return this.#observedSince;
  }

  /** The process has started at this time, by `monotonicMs`. */
  observeSince(ms: number): void {
    this.#observedSince = ms;
  }

  /** When a user was last connected, by `monotonicMs`; null = never. */
  lastActivity(): number | null {
    const times = [this.#access?.lastActivity() ?? null, this.sessions.lastActivity()];
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(...known);
  }

  /** Replaces the keys by which users may log in. */
  authorizeUsers(user: readonly string[]): void {
    const { state } = this.#parts;
    const { spec } = state.record;
    if (isDeepStrictEqual(spec.authorized_keys.user, user)) return;
    state.save({ spec: { ...spec, authorized_keys: { ...spec.authorized_keys, user } } });
    this.#access?.authorizeUsers(user);
  }

  /** The parts of the running job that commands of users use. Throws `AgentError`. */
  sessionHost(): { readonly host: SessionHost; readonly account: JobAccount } {
    const { sessions, account } = this.#running();
    return { host: sessions, account };
  }

  /** Connects to a port of the job. Throws `AgentError`. */
  async dialPort(port: number): Promise<JobPortConnection> {
    return await this.#ports.dial(this.#running(), port);
  }

  /** Connects to the job's SSH server. Throws `AgentError`: it exists from the job's start on. */
  async dialSsh(): Promise<Duplex> {
    if (!this.#access) throw this.#notRunning();
    return await dialTcp(LOOPBACK, this.#access.port);
  }

  async open(): Promise<void> {
    const { state, folder, logs, openAccess, execution, started } = this.#parts;
    const { record } = state;
    const { spec } = record;
    const isOver = () => state.phase === 'exited';
    this.#access = await openAccess({
      preferredPort: record.state.ssh_port,
      ...{ spec, folder, logs, started },
      over: isOver(),
      cluster: isOver() ? null : record.cluster,
      dial: async (host, port) => {
        const running = execution();
        if (!running || isOver()) throw new Error('the job does not run');
        return running.dial(host, port);
      },
      account: () => execution()?.account ?? state.record.account,
      execution: () => (isOver() ? null : execution()),
    });
    // The keys may have been replaced meanwhile.
    const { user } = state.record.spec.authorized_keys;
    if (user !== spec.authorized_keys.user) this.#access?.authorizeUsers(user);
    const port = this.#access?.port ?? null;
    // After a restart the old port may be taken, so report the new one.
    if (state.record.state.ssh_port !== port) state.change({ ssh_port: port });
  }

  async openUnlessOpen(): Promise<void> {
    if (!this.#access) await this.open();
  }

  /** The job has ended: removes the access of other nodes. */
  async ended(): Promise<void> {
    await this.#access?.ended();
  }

  async close(): Promise<void> {
    await this.#access?.close();
    this.#access = null;
  }

  #running(): Execution {
    const execution = this.#parts.execution();
    if (!execution || this.#parts.state.phase !== 'running') throw this.#notRunning();
    return execution;
  }

  #notRunning(): AgentError {
    return new AgentError(409, 'not_running', `The job is ${this.#parts.state.phase}`);
  }
}
