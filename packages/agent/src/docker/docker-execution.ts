import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobMetrics } from '@dstack/contract/agent';
import { withTimeout } from '@dstack/contract/with-timeout';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import type { Execution, ExecutionExit } from '../executor/executor.ts';
import type { JobAccount } from '../executor/job-account.ts';
import { INTERRUPTED } from '../executor/job-failure.ts';
import type { SessionHost } from '../executor/session-host.ts';
import { cgroupPids } from '../host/cgroup.ts';
import { nowMicros } from '../host/clock.ts';
import type { EventLogger } from '../host/log.ts';
import { terminatePids } from '../host/process-tree.ts';
import { cgroupUsage } from '../host/usage.ts';
import type { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { containerCgroup } from './container-cgroup.ts';
import { JobDialer } from './container-dialer.ts';
import { readContainerFile } from './container-files.ts';
import type { ContainerOutput } from './container-output.ts';
import { type DaemonWatch, endedWithDaemon, FIRST_OF_SIGNALS } from './daemon-watch.ts';
import { DockerSessionHost } from './docker-session-host.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import { inTime } from './in-time.ts';
import { wasShortOfMemory } from './memory-kill.ts';
import { NOTICE_FILE, NOTICE_MODE } from './notice-file.ts';
import { wasShimKilled } from './shim-kill.ts';

const RETRY_MS = 500;
/** How often a container that was killed is inspected again: the engine removes one in moments. */
const REMOVAL_LOOKS = 4;
/** How often the agent inspects a container of which the daemon reports nothing. */
const LOOK_MS = 5000;
/** A daemon that is alive answers within this time. */
const ANSWER_MS = 30_000;

export interface DockerExecutionSetup {
  readonly docker: Docker;
  readonly container: Docker.Container;
  readonly inspected: Docker.ContainerInspectInfo;
  readonly output: ContainerOutput;
  readonly account: JobAccount;
  readonly relaySocket: string;
  readonly daemon: DaemonWatch;
  readonly log: EventLogger;
}

/** A job in its container, running or ended. */
export class DockerExecution implements Execution {
  readonly exited: Promise<ExecutionExit>;
  readonly #setup: DockerExecutionSetup;
  readonly #dialer: JobDialer;
  readonly #sessions: DockerSessionHost;
  #released = false;
  /** The exit status with which the daemon has answered a wait; null = none yet. */
  #reported: number | null = null;
  /** Whether the agent has requested the container's end. */
  #stopped = false;
  /** Whether the agent has killed the container. */
  #killed = false;

  constructor(setup: DockerExecutionSetup) {
    this.#setup = setup;
    const sessions = {
      container: setup.container,
      account: setup.account,
      workingDir: setup.inspected.Config.WorkingDir || '/',
      pid: setup.inspected.State.Pid,
    };
    this.#dialer = new JobDialer({
      pid: setup.inspected.State.Pid,
      host: setup.inspected.HostConfig.NetworkMode === 'host',
      ip: this.containerIp,
      socket: setup.relaySocket,
    });
    const listen = this.#dialer.listen.bind(this.#dialer);
    this.#sessions = new DockerSessionHost({ ...sessions, listen });
    this.exited = this.#awaitExit();
  }

  get workingDir(): string {
    return this.#setup.inspected.Config.WorkingDir || '/';
  }

  get account(): JobAccount {
    return this.#setup.account;
  }

  get containerIp(): string | null {
    const networks = Object.values(this.#setup.inspected.NetworkSettings.Networks);
    return networks.map((network) => network.IPAddress).find((ip) => ip) ?? null;
  }

  /**
   * The relay into the container costs a process, so it is used only for ports on the container's
   * loopback.
   */
  get addresses(): readonly string[] {
    return this.containerIp === null ? ['localhost'] : [this.containerIp, 'localhost'];
  }

  get spool(): FileSpoolReader {
    return this.#setup.output.spool;
  }

  get sessions(): SessionHost {
    return this.#sessions;
  }

  async interrupt(): Promise<void> {
    this.#stopped = true;
    await this.#setup.output.interrupt();
  }

  async terminate(): Promise<void> {
    this.#stopped = true;
    const { Pid } = this.#setup.inspected.State;
    const pids = cgroupPids(containerCgroup(Pid));
    // An init process passes the signal only to its child, and a shell ignores it.
    if (pids.length > 0) terminatePids(pids);
    else await this.#signal('SIGTERM');
  }

  async kill(): Promise<void> {
    this.#stopped = true;
    this.#killed = true;
    await this.#signal('SIGKILL');
  }

  /** Into the container, which resolves links of the job within itself. */
  async writeNotice(text: string): Promise<void> {
    const archive = pack();
    archive.entry({ name: NOTICE_FILE.slice(1), mode: NOTICE_MODE }, text);
    archive.finalize();
    const { container } = this.#setup;
    const send = () =>
      container.putArchive(archive as unknown as NodeJS.ReadableStream, { path: '/' });
    await inTime('putArchive', send, { ms: ANSWER_MS });
  }

  async readNotice(): Promise<string> {
    const read = () => readContainerFile(this.#setup.container, NOTICE_FILE);
    return (await inTime('getArchive', read, { ms: ANSWER_MS })) ?? '';
  }

  dial(host: string, port: number): Promise<Duplex> {
    return this.#dialer.dial(host, port);
  }

  async usage(): Promise<JobMetrics | null> {
    const { container, inspected } = this.#setup;
    const usage =
      cgroupUsage(containerCgroup(inspected.State.Pid)) ?? (await engineUsage(container));
    return usage && { ...usage, timestamp_micro: nowMicros(), gpus: [] };
  }

  release(): void {
    this.#released = true;
    void this.#dialer.close();
    this.#setup.output.release();
  }

  async #signal(signal: string): Promise<void> {
    try {
      await this.#setup.container.kill({ signal });
    } catch (error) {
      // 409: it has just ended by itself.
      if (statusOf(error) !== 409 && statusOf(error) !== 404) throw error;
    }
  }

  async #awaitExit(): Promise<ExecutionExit> {
    const { output, log } = this.#setup;
    const exit = await this.#waitForContainer();
    void this.#dialer.close();
    if (this.#released) return exit;
    await output.finish().catch((error) => log.error('closing the output failed', error));
    return exit;
  }

  /**
   * Survives restarts of the daemon. An ended container answers at once, so no exit can be missed.
   */
  async #waitForContainer(): Promise<ExecutionExit> {
    const { container, log } = this.#setup;
    while (!this.#released) {
      try {
        await this.#waitAWhile();
        const inspected = await answered(container.inspect());
        if (!inspected.State.Running) return await answered(this.#exitOf(inspected));
      } catch (error) {
        if (statusOf(error) === 404) return this.#exitOfRemoved();
        log.error('waiting for the container failed', error);
        await delay(RETRY_MS);
      }
    }
    return this.#exitOfRemoved();
  }

  /**
   * The container does not exist any more. If the daemon reported its status before, and only the
   * command itself can have returned it, the job has ended by itself.
   */
  #exitOfRemoved(): ExecutionExit {
    const status = this.#reported;
    if (status !== null && status < FIRST_OF_SIGNALS) {
      return { status, reason: null, message: null };
    }
    return this.#stopped || this.#released
      ? { status, reason: null, message: null }
      : { ...wasRemoved(), status };
  }

  async #exitOf(inspected: Docker.ContainerInspectInfo): Promise<ExecutionExit> {
    const { ExitCode: status, Error: error, StartedAt, FinishedAt } = inspected.State;
    const short = await wasShortOfMemory(this.#setup.docker, inspected, this.#killed);
    if (short && status !== 0) {
      return { status, reason: 'container_exited_with_error', message: 'Out of memory' };
    }
    if (error) return { status, reason: 'executor_error', message: error };
    const byDaemon = await this.#setup.daemon.endedContainers({
      status,
      startedAt: Date.parse(StartedAt),
      finishedAt: Date.parse(FinishedAt),
    });
    if (this.#stopped) return { status, reason: null, message: null };
    if (byDaemon) return endedWithDaemon(status);
    if (await wasShimKilled(this.#setup.docker, inspected)) return { ...lostItsShim(), status };
    if (status >= FIRST_OF_SIGNALS && (await this.#isRemoved())) return { ...wasRemoved(), status };
    return { status, reason: null, message: null };
  }

  /**
   * Whether another program is removing the container: it is killed first, and inspecting it succeeds
   * until it is removed.
   */
  async #isRemoved(): Promise<boolean> {
    for (let attempt = 0; attempt < REMOVAL_LOOKS; attempt++) {
      await delay(RETRY_MS / 2);
      try {
        await answered(this.#setup.container.inspect());
      } catch (error) {
        if (statusOf(error) === 404) return true;
        throw error;
      }
    }
    return false;
  }

  /** A response that the daemon had begun when it died never ends, not even with an error. */
  async #waitAWhile(): Promise<void> {
    const wait = (abortSignal: AbortSignal) =>
      this.#setup.container.wait({ condition: 'not-running', abortSignal });
    const ended = await withTimeout(wait, { ms: LOOK_MS, onTimeout: () => null });
    if (ended !== null) this.#reported = ended.StatusCode;
  }
}

/** Limits the time of a response: if the daemon dies, a response that it has begun never ends. */
function answered<T>(answer: Promise<T>): Promise<T> {
  return withTimeout(() => answer, {
    ms: ANSWER_MS,
    onTimeout: () => {
      throw new Error(`the Docker daemon has not answered for ${ANSWER_MS / 1000} seconds`);
    },
  });
}

function wasRemoved(): ExecutionExit {
  const message = 'Another program on the host has removed the container of the job';
  return { status: null, reason: INTERRUPTED, message, host_fault: 'container_removed' };
}

function lostItsShim(): ExecutionExit {
  const message =
    "The process that supervised the job's container on the host (its containerd shim) was killed";
  return { status: null, reason: INTERRUPTED, message, host_fault: 'runtime' };
}

/**
 * Used where the container's control groups cannot be read. It is slower, and the Engine rounds.
 */
async function engineUsage(
  container: Docker.Container,
): Promise<Omit<JobMetrics, 'timestamp_micro' | 'gpus'> | null> {
  try {
    const { cpu_stats, memory_stats } = await container.stats({ stream: false, 'one-shot': true });
    const { inactive_file, total_inactive_file } = memory_stats.stats ?? {};
    const bytes = memory_stats.usage ?? 0;
    return {
      cpu_usage_micro: Math.round(cpu_stats.cpu_usage.total_usage / 1000),
      memory_usage_bytes: bytes,
      memory_working_set_bytes: Math.max(0, bytes - (total_inactive_file ?? inactive_file ?? 0)),
    };
  } catch (error) {
    // It ended during the request.
    if (statusOf(error) === 404 || statusOf(error) === 409) return null;
    throw new Error(`reading the container's statistics: ${engineErrorMessage(error)}`);
  }
}
