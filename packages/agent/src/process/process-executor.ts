import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { SERVER_SOCKET, socketUrl } from '@dstack/contract/agent';
import type { HostPlacement } from '../files/host-placement.ts';
import { makeFolders } from '../files/make-folders.ts';
import { placeAs } from '../files/place-as.ts';
import {
  type Execution,
  type Executor,
  type ExecutorJob,
  type JobAccount,
  JobFailure,
} from '../jobs/executor.ts';
import {
  isExportedFunction,
  jobEnvironment,
  mpiHostfile,
  proxyEnvironment,
} from '../jobs/job-environment.ts';
import type { JobFolder } from '../jobs/job-folder.ts';
import type { ServerSocket } from '../jobs/server-access.ts';
import { hostAccount, ownAccount } from './accounts.ts';
import { makeJobCgroup, removeCgroup } from './cgroup.ts';
import { jobCommand, wrapCommand } from './job-command.ts';
import { listenAddress } from './listen-address.ts';
import { placeIn } from './place-in.ts';
import { checkPorts } from './port-check.ts';
import { ProcessExecution } from './process-execution.ts';
import { killTree } from './process-tree.ts';
import { nodeCommand, programEntry } from './program-entry.ts';
import { makeSshPrograms } from './ssh-programs.ts';
import { ALREADY_SUPERVISED, type Launch, SupervisorFiles } from './supervisor-files.ts';
import { type TerminalKind, terminalKind } from './terminal.ts';

/** Variables of the agent's own environment that a job may see. */
const INHERITED =
  /^(PATH|LANG|LANGUAGE|LC_.*|TZ|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|ROCM?_.*|HABANA_.*)$/;

export interface ProcessExecutorOptions {
  /** Instead of the best terminal that this machine has. */
  readonly terminal?: TerminalKind;
}

/** Runs jobs as processes of this machine, each under a supervisor that outlives the agent. */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly pulls = false;
  readonly #terminal: TerminalKind;

  constructor(options: ProcessExecutorOptions = {}) {
    this.#terminal = terminalKind(options.terminal);
  }

  async pull(): Promise<void> {}

  async start(job: ExecutorJob, signal: AbortSignal): Promise<Execution> {
    const started = await this.adopt(job);
    if (started) return started;
    await checkPorts(job.spec.ports);
    const launch = await this.#prepare(job, signal);
    signal.throwIfAborted();
    new SupervisorFiles(job.folder.path).writeLaunch(launch);
    const failure = await startSupervisor(job.folder.path).then(
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
    if (!record) return;
    const { leader, cgroup } = record;
    await killTree({ id: job.spec.id, leader, cgroup });
    removeCgroup(cgroup);
  }

  /** Open to the job's own account, which may not be the agent's. */
  serverSocket(folder: JobFolder, account: JobAccount | null): ServerSocket {
    const owner = account && account.uid !== process.getuid?.() ? account : null;
    return { path: folder.serverSocket, folderMode: null, mode: 0o600, owner };
  }

  planImages(): void {}

  close(): void {}

  async sweep(): Promise<void> {
    // A supervisor lives and dies with its job's folder, and folders are what the agent starts from.
  }

  async #prepare(job: ExecutorJob, signal: AbortSignal): Promise<Launch> {
    const { spec, folder } = job;
    const account = jobAccount(job);
    if (account.uid !== process.getuid?.()) await openTheWay(folder.path);
    for (const dir of [folder.home, folder.work, folder.stage]) await makeOwned(dir, account);
    const cwd = placeIn(spec.working_dir ?? folder.work, account.home, folder.work);
    const hostfile = join(folder.path, 'mpi-hostfile');
    await writeFile(hostfile, mpiHostfile(job.cluster), { mode: 0o644 });
    const repoDir = spec.repo ? placeIn(spec.repo.dir, account.home, cwd) : null;
    await placeAs(
      account,
      hostPlacement(job, { home: account.home, cwd, repoDir }),
      folder,
      signal,
    );
    const own = { workingDir: cwd, repoDir, mpiHostfile: hostfile, home: account.home };
    const cgroup = makeJobCgroup(`dstack-${spec.id}`, {
      cpus: spec.cpu_limit,
      memoryBytes: spec.memory_limit_bytes,
    });
    if (spec.server_access) await chown(folder.serverSocket, account.uid, account.gid);
    const argv = jobCommand(spec, this.#terminal !== 'pipes');
    if (argv.length === 0) throw new JobFailure('executor_error', 'The job has no command to run');
    const other = account.uid !== process.getuid?.() ? account : null;
    return {
      id: spec.id,
      argv: wrapCommand(argv, cgroup, other),
      env: {
        ...inherited(),
        ...(await ownPrograms(job, account)),
        DSTACK_LISTEN_ADDRESS: listenAddress(spec.id) ?? 'localhost',
        ...withServerSocket(jobEnvironment(spec, job.cluster, own, job.gpus.length), job),
        ...gpuEnv(job),
      },
      cwd,
      terminal: this.#terminal,
      maskedValues: spec.masked_values,
      notices: spec.notices ?? [],
      cgroup,
      account,
      socket: folder.socket('s'),
    };
  }
}

function hostPlacement(
  { spec, cluster, folder }: ExecutorJob,
  places: Pick<HostPlacement, 'home' | 'cwd' | 'repoDir'>,
): HostPlacement {
  const { id, repo, file_archives, jobs_per_replica, job_private_key } = spec;
  const { work, stage } = folder;
  return {
    id,
    spec: { repo, file_archives, jobs_per_replica, job_private_key },
    cluster,
    ...places,
    work,
    stage,
    // All of the agent's state, and the folders of all jobs.
    reserved: [dirname(dirname(folder.path)), dirname(dirname(work))],
  };
}

/** What the nodes of a cluster need to reach each other from homes of their own. */
async function ownPrograms(
  { spec, folder }: ExecutorJob,
  { home }: JobAccount,
): Promise<Record<string, string>> {
  return spec.jobs_per_replica > 1 ? { PATH: await makeSshPrograms(folder.bin, home) } : {};
}

/** The server is at a socket of this job alone, not at the place where containers see theirs. */
function withServerSocket(
  env: Record<string, string>,
  { spec, folder }: ExecutorJob,
): Record<string, string> {
  if (!spec.server_access || env.DSTACK_SERVER_URL !== socketUrl(SERVER_SOCKET)) return env;
  return { ...env, DSTACK_SERVER_URL: socketUrl(folder.serverSocket) };
}

/** The user that the job asks for, where we may change to it; else our own. */
function jobAccount({ spec, folder }: ExecutorJob): JobAccount {
  const asked = spec.user;
  const root = process.getuid?.() === 0;
  return root && asked ? hostAccount(asked, folder.home) : ownAccount(folder.home);
}

async function makeOwned(dir: string, account: JobAccount): Promise<void> {
  try {
    const first = await makeFolders(dir);
    if (first && account.uid !== process.getuid?.()) await chown(dir, account.uid, account.gid);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new JobFailure('executor_error', `Failed to make the directory ${dir}: ${why}`);
  }
}

/** Another user must be able to walk down to the job's home; the other files stay closed. */
async function openTheWay(jobDir: string): Promise<void> {
  for (const dir of [jobDir, dirname(jobDir), dirname(dirname(jobDir))]) await chmod(dir, 0o711);
}

function inherited(): Record<string, string> {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && INHERITED.test(name) && !isExportedFunction(name) ? [[name, value]] : [],
  );
  return { ...Object.fromEntries(entries), ...proxyEnvironment(process.env) };
}

/** Keeps a job on its own GPUs where the vendor has a variable for that. */
function gpuEnv({ gpus }: ExecutorJob): Record<string, string> {
  const ids = gpus.map((gpu) => gpu.id).join(',');
  switch (gpus[0]?.vendor) {
    case 'nvidia':
      return { CUDA_VISIBLE_DEVICES: ids };
    case 'intel':
      return { HABANA_VISIBLE_DEVICES: ids };
    default:
      return {};
  }
}

/** Returns when the supervisor can be talked to, or another one is found to be in charge. */
async function startSupervisor(jobDir: string): Promise<void> {
  mkdirSync(jobDir, { recursive: true });
  const logPath = new SupervisorFiles(jobDir).log;
  const log = openSync(logPath, 'a', 0o600);
  const [node, ...words] = nodeCommand();
  const entry = programEntry('supervisor.js', 'process/supervisor-main.ts');
  const child = spawn(node, [...words, '--max-old-space-size=64', entry, jobDir], {
    cwd: '/',
    detached: true,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', log, log, 'pipe'],
  });
  closeSync(log);
  await untilReady(child, logPath);
  child.unref();
}

function untilReady(child: ChildProcess, logPath: string): Promise<void> {
  const ready = child.stdio[3] as Readable;
  return new Promise((done, fail) => {
    child.once('error', (error) => fail(new JobFailure('executor_error', error.message)));
    child.once('exit', (code) => {
      if (code === 0 || code === ALREADY_SUPERVISED) return done();
      const words = readFileSync(logPath, 'utf8').trim().slice(-500);
      fail(new JobFailure('executor_error', `The job's supervisor failed to start: ${words}`));
    });
    ready.once('data', () => {
      ready.destroy();
      done();
    });
    ready.on('error', () => {});
  });
}
