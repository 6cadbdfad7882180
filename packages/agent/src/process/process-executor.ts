import type { Execution, Executor, ExecutorJob } from '../executor/executor.ts';
import type { VolumeData } from '../executor/host-mounts.ts';
import type { JobAccount } from '../executor/job-account.ts';
import { JobFailure } from '../executor/job-failure.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import type { ServerSocket } from '../executor/server-socket.ts';
import { removeCgroup } from '../host/cgroup.ts';
import { killTree } from '../host/process-tree.ts';
import { makeHomes } from './isolation/job-area.ts';
import type { JobUsers } from './isolation/job-users.ts';
import { canMakeNamespaces } from './isolation/namespace.ts';
import type { JobContainer } from './job-container.ts';
import type { PlaceJobFiles } from './job-places.ts';
import { checkPorts } from './port-check.ts';
import { NO_RIGHT, type ProcessJobSetup, prepareLaunch } from './prepare-launch.ts';
import { ProcessExecution } from './process-execution.ts';
import { ReadySupervisor, startSupervisor } from './start-supervisor.ts';
import { SupervisorFiles } from './supervisor-files.ts';
import { type TerminalKind, terminalKind } from './terminal.ts';

export interface ProcessExecutorOptions {
  readonly placeFiles: PlaceJobFiles;
  /** Overrides the best terminal of this host. */
  readonly terminal?: TerminalKind;
  /** Gives each job its own user; null = jobs run as the agent's user. */
  readonly users?: JobUsers | null;
  /** Host paths that no job may mount. */
  readonly forbiddenMounts?: readonly string[];
  readonly volumes?: VolumeData;
  /** The container of the job, in which this agent runs; null = jobs are guests of a host. */
  readonly container?: JobContainer | null;
}

/** Runs jobs as processes of this host, each under a supervisor that outlives the agent. */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly pulls = false;
  readonly #setup: ProcessJobSetup;
  readonly #readySupervisor: ReadySupervisor | null;

  constructor({
    placeFiles,
    terminal,
    users = null,
    forbiddenMounts = [],
    volumes,
    container = null,
  }: ProcessExecutorOptions) {
    this.#readySupervisor = container ? new ReadySupervisor() : null;
    let canMount: boolean | null = null;
    this.#setup = {
      terminal: terminalKind(terminal),
      users,
      placeFiles,
      forbiddenMounts,
      volumes,
      container,
      // Checked once, when the first job needs it.
      canMount: () => {
        canMount ??= canMakeNamespaces();
        return canMount;
      },
    };
  }

  async pull(): Promise<void> {}

  async start(job: ExecutorJob, signal: AbortSignal): Promise<Execution> {
    const started = await this.adopt(job);
    if (started) return started;
    await checkPorts(job.spec.ports);
    const launch = await prepareLaunch(job, this.#setup, signal);
    signal.throwIfAborted();
    new SupervisorFiles(job.folder.path).writeLaunch(launch);
    const ownUid = launch.isolation?.ownUser ? launch.account.uid : null;
    const failure = await startSupervisor(job.folder.path, ownUid, this.#readySupervisor).then(
      () => new JobFailure('executor_error', 'The process that supervises the job did not start'),
      (error) => error,
    );
    // A supervisor that an earlier agent has started may have won.
    const execution = await this.adopt(job);
    if (execution) return execution;
    throw failure;
  }

  async adopt(job: ExecutorJob): Promise<ProcessExecution | null> {
    const files = new SupervisorFiles(job.folder.path);
    const record = files.readSupervisor();
    if (!record) return null;
    return new ProcessExecution(job.spec.id, files, record, job.folder.noticeFile);
  }

  async remove(job: ExecutorJob): Promise<void> {
    const record = new SupervisorFiles(job.folder.path).readSupervisor();
    if (record) {
      const { leader, cgroup } = record;
      await killTree({ id: job.spec.id, leader, cgroup });
      removeCgroup(cgroup);
    }
    await this.#setup.users?.release(job);
  }

  /** Only the job's account may connect, which may differ from the agent's. */
  serverSocket(folder: JobFolder, account: JobAccount | null): ServerSocket {
    if (folder.area !== null) makeHomes(folder.area);
    const owner = account && account.uid !== process.getuid?.() ? account : null;
    return { path: folder.serverSocket, folderMode: null, mode: 0o600, owner };
  }

  /** Whatever a process needs, such as disk and GPUs, has checks of its own. */
  async check(): Promise<null> {
    return null;
  }

  whyNoMounts(): string | null {
    return this.#setup.canMount() ? null : NO_RIGHT;
  }

  planImages(): void {}

  close(): void {}

  /** A supervisor exists only with its job's folder, and the agent recovers from these folders. */
  async sweep(): Promise<void> {
    await this.#setup.users?.sweep();
  }
}
