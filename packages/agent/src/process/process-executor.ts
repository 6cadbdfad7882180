import {
  type Execution,
  type Executor,
  type ExecutorJob,
  type JobAccount,
  JobFailure,
} from '../jobs/executor.ts';
import type { VolumeData } from '../jobs/host-mounts.ts';
import type { JobFolder } from '../jobs/job-folder.ts';
import type { ServerSocket } from '../jobs/server-access.ts';
import { removeCgroup } from './cgroup.ts';
import { makeHomes } from './isolation/job-area.ts';
import type { JobUsers } from './isolation/job-users.ts';
import { canMakeNamespaces } from './isolation/namespace.ts';
import { checkPorts } from './port-check.ts';
import { type Grounds, NO_RIGHT, prepareLaunch } from './prepare-launch.ts';
import { ProcessExecution } from './process-execution.ts';
import { killTree } from './process-tree.ts';
import { startSupervisor } from './start-supervisor.ts';
import { SupervisorFiles } from './supervisor-files.ts';
import { type TerminalKind, terminalKind } from './terminal.ts';

export interface ProcessExecutorOptions {
  /** Instead of the best terminal that this machine has. */
  readonly terminal?: TerminalKind;
  /** Gives each job a user of its own; null = jobs run as this process does. */
  readonly users?: JobUsers | null;
  /** Host paths that no job may mount. */
  readonly forbiddenMounts?: readonly string[];
  readonly volumes?: VolumeData;
}

/** Runs jobs as processes of this machine, each under a supervisor that outlives the agent. */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly pulls = false;
  readonly #grounds: Grounds;

  constructor({
    terminal,
    users = null,
    forbiddenMounts = [],
    volumes,
  }: ProcessExecutorOptions = {}) {
    let canMount: boolean | null = null;
    this.#grounds = {
      terminal: terminalKind(terminal),
      users,
      forbiddenMounts,
      volumes,
      // Asked when the first job needs it, and never again.
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
    const launch = await prepareLaunch(job, this.#grounds, signal);
    signal.throwIfAborted();
    new SupervisorFiles(job.folder.path).writeLaunch(launch);
    const ownUid = launch.isolation?.ownUser ? launch.account.uid : null;
    const failure = await startSupervisor(job.folder.path, ownUid).then(
      () => new JobFailure('executor_error', 'The process that supervises the job did not start'),
      (error) => error,
    );
    // One that an agent before us has started may have been faster than ours.
    const execution = await this.adopt(job);
    if (execution) return execution;
    throw failure;
  }

  async adopt(job: ExecutorJob): Promise<ProcessExecution | null> {
    const files = new SupervisorFiles(job.folder.path);
    const record = files.readSupervisor();
    return record ? new ProcessExecution(job.spec.id, files, record) : null;
  }

  async remove(job: ExecutorJob): Promise<void> {
    const record = new SupervisorFiles(job.folder.path).readSupervisor();
    if (record) {
      const { leader, cgroup } = record;
      await killTree({ id: job.spec.id, leader, cgroup });
      removeCgroup(cgroup);
    }
    await this.#grounds.users?.release(job);
  }

  /** Open to the job's own account, which may not be the agent's. */
  serverSocket(folder: JobFolder, account: JobAccount | null): ServerSocket {
    if (folder.area !== null) makeHomes(folder.area);
    const owner = account && account.uid !== process.getuid?.() ? account : null;
    return { path: folder.serverSocket, folderMode: null, mode: 0o600, owner };
  }

  whyNoMounts(): string | null {
    return this.#grounds.canMount() ? null : NO_RIGHT;
  }

  planImages(): void {}

  close(): void {}

  /** A supervisor lives and dies with its job's folder, and folders are what the agent starts from. */
  async sweep(): Promise<void> {
    await this.#grounds.users?.sweep();
  }
}
