import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ImagePlan, type PullProgress, SERVER_SOCKET } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import { type ResolvedUser, resolveUser } from '../executor/accounts.ts';
import type { Execution, Executor, ExecutorJob, KnownJobs } from '../executor/executor.ts';
import { type HostMount, hostMounts, type VolumeData } from '../executor/host-mounts.ts';
import {
  isExportedFunction,
  jobEnvironment,
  proxyEnvironment,
} from '../executor/job-environment.ts';
import { JobFailure, JobUnknown } from '../executor/job-failure.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import { placeIn } from '../executor/place-in.ts';
import type { ServerSocket } from '../executor/server-socket.ts';
import { writeDurably } from '../host/durable-file.ts';
import type { CheckFinding } from '../host/health/check.ts';
import type { EventLogger } from '../host/log.ts';
import type { ContainerJob, PlaceInContainer } from './container-job.ts';
import {
  AGENT_LABEL,
  type ContainerPlan,
  type CreateFallbacks,
  containerName,
  containerOptions,
} from './container-options.ts';
import { ContainerOutput } from './container-output.ts';
import { creationFailure } from './creation-failure.ts';
import { DaemonWatch } from './daemon-watch.ts';
import { DockerExecution } from './docker-execution.ts';
import { engineErrorMessage, statusOf } from './engine-error.ts';
import { gpuAccess, gpuEnvironment } from './gpu-access.ts';
import { EngineHung, hostFaultOf } from './host-caused.ts';
import { refuseHostRegistry } from './host-registry.ts';
import { ImageFactsReader } from './image-facts.ts';
import { withTag } from './image-name.ts';
import { ImageStore } from './image-store.ts';
import { parseUser, unknownUser } from './image-user.ts';
import { inTime, type OnSlow, type Patience } from './in-time.ts';
import { Leftovers, removeContainer } from './leftovers.ts';
import { NOTICE_FILE } from './notice-file.ts';

export interface DockerExecutorOptions {
  readonly docker: Docker;
  readonly stateDir: string;
  /** Host paths that no job may mount. */
  readonly forbiddenMounts: readonly string[];
  readonly volumes: VolumeData;
  /** Where the daemon stores images; free disk is measured there. */
  readonly imagesDir: string;
  readonly placeFiles: PlaceInContainer;
  /** Removes what an earlier agent has left that died while it placed files, of jobs that are over. */
  readonly removeFiles: (isOver: (jobId: string) => boolean) => Promise<void>;
  readonly log: EventLogger;
  /** How long a start waits for answers of the daemon; for tests. */
  readonly patience?: Pick<Patience, 'ms' | 'slowMs'>;
}

/** How long a failed start waits for the removal of its container, which `remove` repeats. */
const CLEAR_MS = 10_000;

const MPI_HOSTFILE = '/dstack/mpi/hostfile';

/** Runs each job as one container without any helper of ours inside. */
export class DockerExecutor implements Executor {
  readonly kind = 'docker';
  readonly pulls = true;
  readonly #options: DockerExecutorOptions;
  readonly #images: ImageFactsReader;
  readonly #store: ImageStore;
  readonly #agentId: string;
  readonly #daemon: DaemonWatch;
  readonly #leftovers: Leftovers;
  #createFallbacks: CreateFallbacks = { init: true, display: true, memlock: true };

  constructor(options: DockerExecutorOptions) {
    this.#options = options;
    this.#agentId = agentId(options.stateDir);
    this.#images = new ImageFactsReader(options.docker, join(options.stateDir, 'images'), {
      [AGENT_LABEL]: this.#agentId,
    });
    this.#store = new ImageStore(options);
    this.#daemon = new DaemonWatch(options.docker);
    this.#leftovers = new Leftovers(this.#agentId, options);
  }

  async pull(
    { spec }: ExecutorJob,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const request = { image: spec.image_name, auth: spec.registry_auth, onProgress, signal };
    await this.#daemon.untilAnswers(signal);
    if (spec.host_access?.images === false) await refuseHostRegistry(spec.image_name);
    await this.#store.ensure(spec.id, request);
  }

  async start(job: ExecutorJob, signal: AbortSignal, onSlow: OnSlow): Promise<Execution> {
    const starting = { signal, patience: { ...this.#options.patience, onSlow, signal } };
    const earlier = await this.#inspect(job);
    if (earlier && earlier.State.Status !== 'created') {
      return await this.#adopt(job, earlier).catch((error) => {
        throw unreachableJob('attachContainer', error);
      });
    }
    // An agent died between creation and start, so the files may be incomplete.
    if (earlier) await inTime('removeContainer', () => this.#clear(job), starting.patience);
    const planned = await this.#plan(job, starting);
    try {
      return await this.#createAndStart(planned, starting);
    } catch (error) {
      // A daemon that did not answer removes the container when it answers again.
      const cleared = inTime('removeContainer', () => this.#clear(job), { ms: CLEAR_MS });
      await cleared.catch((late) => this.#options.log.error('removing failed', late));
      throw error;
    }
  }

  async adopt(job: ExecutorJob): Promise<Execution | null> {
    const inspected = await this.#inspect(job);
    if (!inspected || inspected.State.Status === 'created') return null;
    return await this.#adopt(job, inspected).catch((error) => {
      if (statusOf(error) === 404) return null;
      throw unreachableJob('attachContainer', error);
    });
  }

  async remove(job: ExecutorJob): Promise<void> {
    this.#store.release(job.spec.id);
    const clear = (abandoned: AbortSignal) => this.#clear(job, abandoned);
    await inTime('removeContainer', clear, this.#options.patience);
  }

  async #clear({ spec }: ExecutorJob, abandoned?: AbortSignal): Promise<void> {
    await removeContainer(this.#options.docker.getContainer(containerName(spec.id)), abandoned);
  }

  /** In a folder that is mounted into the container. Any user of the image may connect. */
  serverSocket(folder: JobFolder): ServerSocket {
    const path = join(folder.serverFolder, basename(SERVER_SOCKET));
    return { path, folderMode: 0o755, mode: 0o666, owner: null };
  }

  whyNoMounts(): null {
    return null;
  }

  check(): Promise<CheckFinding> {
    return this.#daemon.check();
  }

  planImages(plan: ImagePlan): void {
    this.#store.plan(plan);
  }

  close(): void {
    this.#store.close();
    this.#leftovers.close();
  }

  async sweep(known: KnownJobs): Promise<void> {
    await this.#options.removeFiles((jobId) => !known.has(jobId));
    await this.#leftovers.sweep(known);
  }

  async #plan(job: ExecutorJob, { patience }: Starting): Promise<ContainerJob> {
    const { spec } = job;
    const reference = withTag(spec.image_name);
    const read = inTime('inspectImage', () => this.#images.read(reference), patience);
    const image = await read.catch((error) => {
      throw creationFailure('inspectImage', error);
    });
    if (spec.commands.length === 0 && !image.hasCommand) {
      const message = `The image ${reference} names no command and the run has none either`;
      throw new JobFailure('executor_error', message);
    }
    const user = resolveUser(spec.user ?? parseUser(image.user), image.passwd, image.group);
    const workingDir = placeIn(spec.working_dir ?? image.workingDir, user.home, '/');
    const repoDir = spec.repo ? placeIn(spec.repo.dir, user.home, workingDir) : null;
    const places = {
      ...{ workingDir, repoDir, home: user.home },
      ...{ mpiHostfile: MPI_HOSTFILE, noticeFile: NOTICE_FILE },
    };
    const env = {
      ...proxyEnvironment(process.env),
      // Process jobs have this variable too, with an address of their own.
      DSTACK_LISTEN_ADDRESS: '0.0.0.0',
      ...jobEnvironment(spec, job.cluster, places, job.gpus.length),
      // The vendors' runtimes read these variables, so neither the run nor the image may set them.
      ...gpuEnvironment(job),
    };
    const madeWorkingDir =
      user.uid !== 0 && spec.working_dir !== null && !isMounted(workingDir, job)
        ? !(await this.#images.has(image.id, workingDir))
        : false;
    return { job, image, user, workingDir, repoDir, env, madeWorkingDir };
  }

  async #createAndStart(planned: ContainerJob, starting: Starting): Promise<Execution> {
    for (;;) {
      const createFallbacks = this.#createFallbacks;
      try {
        return await this.#attempt(planned, starting, createFallbacks);
      } catch (error) {
        const next = nextFallbacks(createFallbacks, error);
        if (!next) throw error;
        this.#options.log.info('creating the container again without an option', {
          why: engineErrorMessage(error),
        });
        this.#createFallbacks = next;
        await this.#clear(planned.job);
      }
    }
  }

  async #attempt(
    planned: ContainerJob,
    { signal, patience }: Starting,
    createFallbacks: CreateFallbacks,
  ): Promise<Execution> {
    const { docker, log } = this.#options;
    const { job } = planned;
    const { mounts, notices } = await hostMounts(
      job.spec.mounts,
      this.#options.forbiddenMounts,
      this.#options.volumes,
    );
    const plan = this.#containerPlan(planned, mounts);
    const options = containerOptions(job, plan, createFallbacks);
    const creation = inTime('createContainer', () => docker.createContainer(options), patience);
    const container = await creation.catch((error) => {
      throw creationFailure('createContainer', error);
    });
    await this.#options.placeFiles(container, planned, signal);
    signal.throwIfAborted();
    const output = new ContainerOutput(container, job.folder.spool, job.spec.masked_values, log);
    try {
      await output.attachFresh([...(job.spec.notices ?? []), ...notices], patience);
      await inTime('startContainer', () => container.start(), patience);
    } catch (error) {
      output.release();
      throw creationFailure('startContainer', error);
    }
    const inspection = inTime('inspectContainer', () => container.inspect(), patience);
    const inspected = await inspection.catch((error) => {
      output.release();
      throw creationFailure('inspectContainer', error);
    });
    return this.#execution(job, inspected, output, planned.user);
  }

  #containerPlan(planned: ContainerJob, mounts: readonly HostMount[]): ContainerPlan {
    const { job, image, user, workingDir, env } = planned;
    const { spec, gpus } = job;
    const explicit = spec.user ? `${user.uid}:${user.gid}` : image.user;
    const hidden = image.env.map((each) => each.split('=')[0] ?? '').filter(isExportedFunction);
    const groups = spec.user ? user.groups.map(String) : [];
    return {
      agentId: this.#agentId,
      image: image.id,
      user: explicit,
      groupAdd: [...groups, ...(user.uid === 0 ? [] : gpuAccess(gpus, false).groups)],
      workingDir,
      // A name without a value removes the variable from the image's environment.
      env: [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...hidden],
      mounts: [
        ...mounts.map(({ source: Source, target: Target, readOnly: ReadOnly }) => {
          return { Type: 'bind' as const, Source, Target, ReadOnly };
        }),
        ...(spec.server_access ? [serverMount(job)] : []),
      ],
    };
  }

  async #adopt(job: ExecutorJob, inspected: Docker.ContainerInspectInfo): Promise<Execution> {
    const { docker, log } = this.#options;
    const container = docker.getContainer(inspected.Id);
    const { patience } = this.#options;
    const read = inTime('inspectImage', () => this.#images.read(inspected.Image), patience);
    const image = await read.catch((error) => {
      if (error instanceof EngineHung) throw error;
      return null;
    });
    const requestedUser = job.spec.user ?? parseUser(inspected.Config.User);
    const user = image
      ? resolveUser(requestedUser, image.passwd, image.group)
      : unknownUser(requestedUser);
    const output = new ContainerOutput(container, job.folder.spool, job.spec.masked_values, log);
    const resume = () => output.resume(inspected.State.Running);
    const resumed = inTime('attachContainer', resume, patience);
    await resumed.catch((error) => {
      output.release();
      throw error;
    });
    return this.#execution(job, inspected, output, user);
  }

  #execution(
    job: ExecutorJob,
    inspected: Docker.ContainerInspectInfo,
    output: ContainerOutput,
    user: ResolvedUser,
  ): Execution {
    const container = this.#options.docker.getContainer(inspected.Id);
    const { username, uid, gid, home, shell } = user;
    return new DockerExecution({
      docker: this.#options.docker,
      container,
      inspected,
      output,
      account: { username, uid, gid, home, shell },
      relaySocket: job.folder.socket('r'),
      daemon: this.#daemon,
      log: this.#options.log.child({ job: job.spec.id }),
    });
  }

  async #inspect({ spec }: ExecutorJob): Promise<Docker.ContainerInspectInfo | null> {
    try {
      const container = this.#options.docker.getContainer(containerName(spec.id));
      const inspect = (abortSignal: AbortSignal) => container.inspect({ abortSignal });
      return await inTime('inspectContainer', inspect, this.#options.patience);
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw unreachableJob('inspectContainer', error);
    }
  }
}

/** One start of a job. */
interface Starting {
  readonly signal: AbortSignal;
  readonly patience: Patience;
}

/** Whether the job runs is unknown while the host or the engine is at fault; any other error would come again. */
function unreachableJob(attempt: string, error: unknown): JobFailure {
  const message = `${attempt} error: ${engineErrorMessage(error)}`;
  const hostFault = hostFaultOf(error);
  const isUnknown = hostFault !== null || (statusOf(error) ?? 0) >= 500;
  const Kind = isUnknown ? JobUnknown : JobFailure;
  return new Kind('executor_error', message, { cause: error, hostFault });
}

/** Read-only, so that a job cannot replace the socket. Each agent creates it again. */
function serverMount({ folder }: ExecutorJob): Docker.MountSettings {
  const Target = dirname(SERVER_SOCKET);
  return { Type: 'bind', Source: folder.serverFolder, Target, ReadOnly: true };
}

function isMounted(path: string, { spec }: ExecutorJob): boolean {
  return spec.mounts.some(({ target }) => path === target || path.startsWith(`${target}/`));
}

function nextFallbacks(createFallbacks: CreateFallbacks, error: unknown): CreateFallbacks | null {
  const reason = engineErrorMessage(error);
  if (createFallbacks.init && reason.includes('docker-init'))
    return { ...createFallbacks, init: false };
  if (createFallbacks.display && reason.includes('/dev/nvidia-modeset'))
    return { ...createFallbacks, display: false };
  // A daemon that may not raise limits, such as one inside another container.
  if (createFallbacks.memlock && reason.includes('rlimit'))
    return { ...createFallbacks, memlock: false };
  return null;
}

/**
 * An id of this state directory. It separates the agent's containers from those of other agents.
 */
function agentId(stateDir: string): string {
  const path = join(stateDir, 'agent-id');
  if (!existsSync(path)) writeDurably(path, randomUUID());
  return readFileSync(path, 'utf8').trim();
}
