import { statSync } from 'node:fs';
import { chmod, chown } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SERVER_SOCKET, socketUrl } from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import { hostAccount, ownAccount } from '../executor/accounts.ts';
import type { ExecutorJob } from '../executor/executor.ts';
import {
  type HostMount,
  hostMounts,
  mountFailure,
  type VolumeData,
} from '../executor/host-mounts.ts';
import type { JobAccount } from '../executor/job-account.ts';
import { jobEnvironment } from '../executor/job-environment.ts';
import { JobFailure } from '../executor/job-failure.ts';
import { placeIn } from '../executor/place-in.ts';
import { makeJobCgroup } from '../host/cgroup.ts';
import { createFolders } from '../host/create-folders.ts';
import { listenAddress } from '../network/listen-address.ts';
import { inheritedEnvironment } from './inherited-environment.ts';
import { makeStaging } from './isolation/job-area.ts';
import type { AssignedUser, JobUsers } from './isolation/job-users.ts';
import type { NamespaceStep } from './isolation/namespace.ts';
import { namespaceSteps } from './isolation/namespace-steps.ts';
import { jobCommand, wrapCommand } from './job-command.ts';
import { accountInside, type JobContainer, withOwnAddress } from './job-container.ts';
import type { PlaceJobFiles } from './job-places.ts';
import { makeNoticeFile } from './notice-file.ts';
import { makeSshPrograms } from './ssh-programs.ts';
import type { Launch } from './supervisor-files.ts';
import type { TerminalKind } from './terminal.ts';

/** The settings that all process jobs of this host share. */
export interface ProcessJobSetup {
  readonly terminal: TerminalKind;
  /** Gives each job its own user; null = jobs run as the agent's user. */
  readonly users: JobUsers | null;
  readonly placeFiles: PlaceJobFiles;
  /** Host paths that no job may mount. */
  readonly forbiddenMounts: readonly string[];
  readonly volumes: VolumeData | undefined;
  /** The container of the job, in which this agent runs; null = jobs are guests of a host. */
  readonly container: JobContainer | null;
  /** Whether this process may make namespaces and mounts. */
  readonly canMount: () => boolean;
}

/**
 * Creates everything that a job needs, and returns how to start its command. Throws `JobFailure`.
 */
export async function prepareLaunch(
  job: ExecutorJob,
  setup: ProcessJobSetup,
  signal: AbortSignal,
): Promise<Launch> {
  const { spec, folder } = job;
  const { user, account, isOther } = await prepareAccount(job, setup);
  const { mounts, notices } = await hostMounts(spec.mounts, setup.forbiddenMounts, setup.volumes);
  const { outside, inside } = byPlace(mounts, [folder.home, folder.work]);
  const base = setup.container?.workingDir ?? folder.work;
  const cwd = placeIn(spec.working_dir ?? base, account.home, base);
  const repoDir = spec.repo ? placeIn(spec.repo.dir, account.home, cwd) : null;
  const forFiles = namespaceFor(job, outside, user, setup);
  const places = { account, cwd, repoDir, later: inside, namespace: forFiles };
  await setup.placeFiles(job, places, signal);
  for (const mount of inside) await makeOwned(folderFor(mount), account);
  const namespace = namespaceFor(job, mounts, user, setup);
  const isolated = isOther || namespace !== null;
  const cgroup = makeJobCgroup(`dstack-${spec.id}`, {
    cpus: spec.cpu_limit,
    memoryBytes: spec.memory_limit_bytes,
  });
  makeNoticeFile(folder.noticeFile, account);
  if (spec.server_access) await chown(folder.serverSocket, account.uid, account.gid);
  const argv = jobCommand(spec, setup.terminal !== 'pipes');
  if (argv.length === 0) throw new JobFailure('executor_error', 'The job has no command to run');
  return {
    id: spec.id,
    argv: isolated ? argv : wrapCommand(argv, cgroup),
    isolation: isolated ? { namespace, ...usersOf(job, user) } : null,
    env: await environment(job, account, { cwd, repoDir, container: setup.container }),
    cwd,
    terminal: setup.terminal,
    maskedValues: spec.masked_values,
    notices: [...(spec.notices ?? []), ...notices],
    cgroup,
    account,
    socket: folder.socket('s'),
  };
}

/**
 * The next job of a volume has another user, who has to be able to change the files that this job
 * leaves there. The other files of the job are in places that no other user can enter.
 */
function usersOf({ spec }: ExecutorJob, user: AssignedUser | null) {
  const ownUser = user?.isOwn ?? false;
  return { ownUser, opensFiles: ownUser && spec.mounts.some(({ volume }) => volume != null) };
}

/** `isOther`: the account is not the agent's. */
async function prepareAccount(job: ExecutorJob, { users, container }: ProcessJobSetup) {
  const { folder } = job;
  const user = (await users?.prepare(job)) ?? null;
  const account = user?.account ?? (container ? accountInside(container, job) : jobAccount(job));
  const isOther = account.uid !== process.getuid?.();
  if (isOther && !user) await openTheWay(folder.path);
  for (const dir of [folder.home, folder.work, folder.stage]) await makeOwned(dir, account);
  return { user, account, isOther };
}

interface JobSurroundings {
  readonly cwd: string;
  readonly repoDir: string | null;
  readonly container: JobContainer | null;
}

async function environment(
  job: ExecutorJob,
  account: JobAccount,
  { cwd, repoDir, container }: JobSurroundings,
): Promise<Record<string, string>> {
  const { spec, cluster, gpus, folder } = job;
  const known = cluster && withOwnAddress(cluster, container);
  const places = {
    workingDir: cwd,
    repoDir,
    mpiHostfile: folder.hostfile,
    noticeFile: folder.noticeFile,
    home: account.home,
  };
  return {
    ...(container?.env ?? inheritedEnvironment(process.env)),
    ...(await ownPrograms(job, account)),
    DSTACK_LISTEN_ADDRESS: listenAddress(spec.id) ?? 'localhost',
    ...withServerSocket(jobEnvironment(spec, known, places, gpus.length), job),
    ...gpuEnvironment(job),
  };
}

/** A process job reaches the server by its own socket, not by the path that containers use. */
function withServerSocket(
  env: Record<string, string>,
  { spec, folder }: ExecutorJob,
): Record<string, string> {
  if (!spec.server_access || env.DSTACK_SERVER_URL !== socketUrl(SERVER_SOCKET)) return env;
  return { ...env, DSTACK_SERVER_URL: socketUrl(folder.serverSocket) };
}

export const NO_RIGHT = 'the agent has no right to make mounts; it needs root';

/**
 * Null if the job runs in the host's namespace. Throws `JobFailure` if its mounts cannot be made.
 */
function namespaceFor(
  { folder }: ExecutorJob,
  mounts: readonly HostMount[],
  user: AssignedUser | null,
  { canMount }: ProcessJobSetup,
): NamespaceStep[] | null {
  if (mounts.length === 0 && user === null) return null;
  if (canMount()) {
    return namespaceSteps(mounts, makeStaging(folder.area ?? folder.path), user?.files ?? null);
  }
  if (mounts.length === 0) return null;
  throw mountFailure(NO_RIGHT);
}

interface ByPlace {
  readonly outside: readonly HostMount[];
  readonly inside: readonly HostMount[];
}

/** Splits mounts into those inside the job's own folders and the others. */
function byPlace(mounts: readonly HostMount[], own: readonly string[]): ByPlace {
  const isInside = ({ target }: HostMount) => own.some((dir) => `${target}/`.startsWith(`${dir}/`));
  return {
    outside: mounts.filter((mount) => !isInside(mount)),
    inside: mounts.filter(isInside),
  };
}

function folderFor({ source, target }: HostMount): string {
  return statSync(source).isDirectory() ? target : dirname(target);
}

/**
 * Programs by which the nodes of a cluster reach each other. They read the configuration in the
 * job's home.
 */
async function ownPrograms(
  { spec, folder }: ExecutorJob,
  { home }: JobAccount,
): Promise<Record<string, string>> {
  return spec.jobs_per_replica > 1 ? { PATH: await makeSshPrograms(folder.bin, home) } : {};
}

/** The user that the job requests if the agent may switch to it, else the agent's own. */
function jobAccount({ spec, folder }: ExecutorJob): JobAccount {
  const requested = spec.user;
  const root = process.getuid?.() === 0;
  return root && requested ? hostAccount(requested, folder.home) : ownAccount(folder.home);
}

async function makeOwned(dir: string, account: JobAccount): Promise<void> {
  try {
    const first = await createFolders(dir);
    if (!first || account.uid === process.getuid?.()) return;
    for (let made = dir; made.length >= first.length; made = dirname(made)) {
      await chown(made, account.uid, account.gid);
    }
  } catch (error) {
    const why = errorMessage(error);
    throw new JobFailure('executor_error', `Failed to make the directory ${dir}: ${why}`);
  }
}

/** Another user must be able to enter the path of the job's home. The other files stay closed. */
async function openTheWay(jobDir: string): Promise<void> {
  for (const dir of [jobDir, dirname(jobDir), dirname(dirname(jobDir))]) await chmod(dir, 0o711);
}

/** Restricts a job to its own GPUs, for vendors that have a variable for that. */
function gpuEnvironment({ gpus }: ExecutorJob): Record<string, string> {
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
