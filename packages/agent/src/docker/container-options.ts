import type Docker from 'dockerode';
import type { ExecutorJob } from '../executor/executor.ts';
import { endingAtInterrupt } from '../executor/interactive-shell.ts';
import { nanoCpus } from './cpu-limit.ts';
import { gpuAccess, rdmaAccess } from './gpu-access.ts';

export const JOB_LABEL = 'ai.dstack.job-id';
/** The agent that a container belongs to; several agents may share one daemon. */
export const AGENT_LABEL = 'ai.dstack.agent-id';

export function containerName(jobId: string): string {
  return `dstack-${jobId}`;
}

/** The decisions about a job's container before it is created. */
export interface ContainerPlan {
  readonly agentId: string;
  readonly image: string;
  /** `uid:gid`, a name, or empty for the image's own user. */
  readonly user: string;
  readonly groupAdd: readonly string[];
  readonly workingDir: string;
  readonly env: readonly string[];
  readonly mounts: readonly Docker.MountSettings[];
}

/**
 * Options that some hosts or daemons do not support and that a job can do without. An option
 * becomes false when a creation fails because of it.
 */
export interface CreateFallbacks {
  /** An init process that reaps and forwards signals. */
  readonly init: boolean;
  /** The `display` capability of NVIDIA's runtime. */
  readonly display: boolean;
  /**
   * Unlimited locked memory for remote memory access; without it the capability alone is enough.
   */
  readonly memlock: boolean;
}

export function containerOptions(
  job: ExecutorJob,
  plan: ContainerPlan,
  createFallbacks: CreateFallbacks,
): Docker.ContainerCreateOptions {
  const { spec } = job;
  const host = spec.network_mode === 'host';
  return {
    name: containerName(spec.id),
    Image: plan.image,
    // Set as the entrypoint, because a command alone would become arguments of the image's
    // entrypoint.
    ...(spec.commands.length > 0 ? { Entrypoint: endingAtInterrupt(spec.commands), Cmd: [] } : {}),
    User: plan.user,
    WorkingDir: plan.workingDir,
    Env: [...plan.env],
    Tty: true,
    OpenStdin: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Labels: { [JOB_LABEL]: spec.id, [AGENT_LABEL]: plan.agentId },
    ...(host ? {} : { Hostname: hostname(spec.run_name) }),
    HostConfig: hostConfig(job, plan, createFallbacks),
  };
}

function hostConfig(
  job: ExecutorJob,
  plan: ContainerPlan,
  createFallbacks: CreateFallbacks,
): Docker.HostConfig {
  const { spec, gpus } = job;
  const shm = spec.shm_size_bytes;
  const gpu = gpuAccess(gpus, createFallbacks.display);
  const rdma = rdmaAccess();
  return {
    NetworkMode: spec.network_mode,
    RestartPolicy: { Name: 'no' },
    // Never `local`, which loses newlines, and never a remote driver, since the agent reads the log
    // after a crash.
    LogConfig: { Type: 'json-file', Config: { 'max-size': '256m', 'max-file': '4' } },
    Privileged: spec.privileged,
    Mounts: [...plan.mounts, ...gpu.mounts],
    GroupAdd: [...plan.groupAdd],
    Devices: [...gpu.devices, ...rdma.devices].map(device),
    CapAdd: [...gpu.capabilities, ...rdma.capabilities],
    Ulimits: createFallbacks.memlock ? [...rdma.ulimits] : [],
    ...(createFallbacks.init ? { Init: true } : {}),
    ...(spec.cpu_limit === null ? {} : { NanoCpus: nanoCpus(spec.cpu_limit) }),
    ...(spec.memory_limit_bytes === null ? {} : { Memory: spec.memory_limit_bytes }),
    // Docker's own /dev/shm is noexec.
    ...(shm === null ? {} : { ShmSize: shm, Tmpfs: { '/dev/shm': `exec,size=${shm}` } }),
    ...gpu.more,
  };
}

function device(path: string): Docker.DeviceMapping {
  return { PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rwm' };
}

/** A run's name as a host name: at most 63 letters, digits and dashes. */
function hostname(runName: string): string {
  return runName.replace(/[^A-Za-z0-9-]/g, '-').slice(0, 63) || 'job';
}
