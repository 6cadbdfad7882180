import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { withTimeout } from '@dstack/contract/with-timeout';
import type Docker from 'dockerode';
import type { ExecutionExit } from '../executor/executor.ts';
import { EXECUTOR_CHECK_MS } from '../executor/executor.ts';
import { INTERRUPTED, JobFailure } from '../executor/job-failure.ts';
import { type CheckFinding, HEALTHY } from '../host/health/check.ts';
import { openEndlessAnswer, ping } from './daemon-connection.ts';

/** A daemon ends its containers at most this long before its own end (its shutdown timeout). */
const SHUTDOWN_MS = 20_000;
/**
 * A status of this or a higher value means a signal, or nothing: Docker writes 255 for "not known".
 */
export const FIRST_OF_SIGNALS = 128;
const RECONNECT_MS = 500;
/** The longest restart of a daemon that has containers to end. */
const RESTART_MS = 30_000;
/** A daemon kills the containers of its predecessor at most this long after its own start. */
const STARTUP_MS = 10_000;
/** The longest time for which a job's exit waits until the cause is certain. */
const CERTAINTY_MS = 20_000;

export interface ContainerEnd {
  readonly status: number;
  readonly startedAt: number;
  readonly finishedAt: number;
}

interface DaemonInfo {
  readonly ContainerdCommit?: { readonly ID?: string };
}

/** The lifetime of one connection to the daemon. */
interface Watched {
  /** A value that differs between two runs of the daemon; null where the daemon has none. */
  readonly daemonRun: string | null;
  /** When this run of the daemon began, in milliseconds by the host's clock; null = not known. */
  readonly startedAt: number | null;
  readonly keepsContainers: boolean;
}

/**
 * Detects that the Docker daemon ends, by a response of the daemon that lasts as long as the daemon. A
 * restart would otherwise show only in the containers that it ended. A slow daemon or a connection
 * that a proxy cuts does not count as an end.
 */
export class DaemonWatch {
  readonly #docker: Docker;
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();
  #watched: Watched | null = null;
  /** When the connection was lost, in milliseconds, as long as the cause is not known. */
  #lostAt: number | null = null;
  /** When the daemon's last end was detected. */
  #endedAt = 0;

  constructor(docker: Docker) {
    this.#docker = docker;
    void this.#watch();
  }

  /**
   * Whether the daemon ended, and with it a container that ended with this status. Times in
   * milliseconds by the host's clock. False if the daemon keeps containers running (`live-restore`), and if there is
   * no proof.
   */
  async endedContainers({ status, startedAt, finishedAt }: ContainerEnd): Promise<boolean> {
    if (status < FIRST_OF_SIGNALS) return false;
    const deadline = Date.now() + CERTAINTY_MS;
    for (;;) {
      if (this.#watched?.keepsContainers) return false;
      if (this.#endedAt >= finishedAt - SHUTDOWN_MS) return true;
      if (this.#startedBetween(startedAt, finishedAt)) return true;
      const left = deadline - Date.now();
      if (left <= 0) return false;
      const answer = await this.#pingOrChange(left);
      // A daemon that shuts down accepts no new connections but serves open ones to the end.
      if (answer === 'refused') return !this.#watched?.keepsContainers;
      if (answer === 'alive' && this.#lostAt === null) return false;
      await delay(RECONNECT_MS);
    }
  }

  /**
   * Waits for a daemon that is restarting. Throws `JobFailure` if it does not come back in time.
   */
  async untilAnswers(signal: AbortSignal): Promise<void> {
    for (const end = Date.now() + RESTART_MS; ; await delay(RECONNECT_MS)) {
      signal.throwIfAborted();
      const left = end - Date.now();
      if (left > 0 && (await ping(this.#docker, left, signal)) === 'alive') return;
      signal.throwIfAborted();
      if (Date.now() < end) continue;
      const seconds = RESTART_MS / 1000;
      const message = `The Docker daemon of the host has not answered for ${seconds} seconds: see \`systemctl status docker\` there`;
      const isDown = (await ping(this.#docker, RECONNECT_MS, signal)) === 'refused';
      throw new JobFailure('creating_container_error', message, {
        hostFault: isDown ? 'daemon_unreachable' : 'daemon_hung',
      });
    }
  }

  /**
   * Whether the daemon answers a ping and describes itself in time, which a daemon with a hung storage
   * driver or containerd does not. A restart that is short enough is no finding.
   */
  async check(limitMs: number = EXECUTOR_CHECK_MS): Promise<CheckFinding> {
    const end = Date.now() + limitMs;
    for (;;) {
      const problem = await this.#problem(end);
      if (problem === null) return HEALTHY;
      if (Date.now() + RECONNECT_MS < end) {
        await delay(RECONNECT_MS);
        continue;
      }
      const message = `${problem.what} (asked for ${limitMs / 1000} seconds); see \`systemctl status ${problem.unit}\` on the host`;
      return { status: 'failure', message };
    }
  }

  /** The reason why the daemon starts no containers, with the host's unit to look at; null = it starts them. */
  async #problem(end: number): Promise<{ what: string; unit: string } | null> {
    const left = end - Date.now();
    const answer = left > 0 ? await ping(this.#docker, left) : 'no_answer';
    if (answer === 'refused') return { what: 'the Docker daemon does not run', unit: 'docker' };
    if (answer !== 'alive') return { what: 'the Docker daemon does not answer', unit: 'docker' };
    const info = await this.#description(end - Date.now());
    if (info === null) {
      const what = 'the Docker daemon does not describe itself: its storage or containerd hangs';
      return { what, unit: 'docker containerd' };
    }
    // The daemon's answer in place of the version if it does not reach containerd.
    if (info.ContainerdCommit?.ID !== 'N/A') return null;
    return {
      what: 'containerd, which runs the containers of Docker, does not answer',
      unit: 'containerd',
    };
  }

  async #description(ms: number): Promise<DaemonInfo | null> {
    if (ms <= 0) return null;
    try {
      return await withTimeout(() => this.#docker.info() as Promise<DaemonInfo>, {
        ms,
        onTimeout: () => null,
      });
    } catch {
      // It answers with an error: the finding is the same as without an answer.
      return null;
    }
  }

  /**
   * Whether the daemon's present run began after the container's start and about when it ended. This is
   * the only sign of a restart that happened while no agent ran.
   */
  #startedBetween(startedAt: number, finishedAt: number): boolean {
    const began = this.#watched?.startedAt ?? null;
    if (began === null || startedAt > began) return false;
    return finishedAt > began - RESTART_MS - SHUTDOWN_MS && finishedAt < began + STARTUP_MS;
  }

  close(): void {
    this.#closing.abort();
  }

  /** The result of a new connection, or `changed` if the watched connection changes first. */
  async #pingOrChange(limitMs: number): Promise<'alive' | 'refused' | 'no_answer' | 'changed'> {
    const stop = new AbortController();
    const changed = new Promise<'changed'>((resolve) => {
      const wake = () => resolve('changed');
      this.#waiting.add(wake);
      stop.signal.addEventListener('abort', () => this.#waiting.delete(wake));
    });
    try {
      return await Promise.race([ping(this.#docker, limitMs, stop.signal), changed]);
    } finally {
      stop.abort();
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#watchOnce(signal);
      } catch {
        if (this.#lostAt !== null) await this.#onUnreachable();
      }
      await delay(RECONNECT_MS, undefined, { ref: false });
    }
  }

  /** Resolves when the connection is lost; rejects if it was never established. */
  async #watchOnce(signal: AbortSignal): Promise<void> {
    const answer = await openEndlessAnswer(this.#docker, signal);
    const closed = untilClosed(answer);
    try {
      this.#onConnected(await this.#look());
      await closed;
      if (!signal.aborted) this.#onLost();
    } finally {
      answer.destroy();
    }
  }

  /** A daemon that keeps no containers creates its default network again at each start. */
  async #look(): Promise<Watched> {
    const [info, bridge] = await Promise.all([
      this.#docker.info(),
      this.#docker
        .getNetwork('bridge')
        .inspect()
        .catch(() => null),
    ]);
    const created = Date.parse(bridge?.Created ?? '');
    return {
      keepsContainers: info.LiveRestoreEnabled,
      daemonRun: bridge?.Id ?? null,
      startedAt: Number.isNaN(created) ? null : created,
    };
  }

  #onConnected(found: Watched): void {
    const before = this.#watched;
    this.#watched = found;
    if (this.#lostAt === null) return;
    const isSame = before?.daemonRun != null && before.daemonRun === found.daemonRun;
    if (!isSame) this.#endedAt = this.#lostAt;
    this.#lostAt = null;
    this.#wake();
  }

  #onLost(): void {
    this.#lostAt = Date.now();
    this.#wake();
  }

  async #onUnreachable(): Promise<void> {
    if ((await ping(this.#docker, RECONNECT_MS)) !== 'refused' || this.#lostAt === null) return;
    this.#endedAt = this.#lostAt;
    this.#lostAt = null;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

function untilClosed(answer: IncomingMessage): Promise<void> {
  answer.resume();
  // The reason does not matter: the connection has ended.
  answer.on('error', () => {});
  return new Promise((resolve) => answer.once('close', () => resolve()));
}

export function endedWithDaemon(status: number): ExecutionExit {
  const message =
    'The Docker daemon of the host was stopped, and its containers with it; with `"live-restore": true` in its /etc/docker/daemon.json jobs outlive its restarts';
  return { status, reason: INTERRUPTED, message, host_fault: 'daemon_stopped' };
}
