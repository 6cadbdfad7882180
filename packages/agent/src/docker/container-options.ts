import { existsSync, statSync } from 'node:fs';
import type { HostGpu } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import type { ExecutorJob } from '../jobs/executor.ts';

export const JOB_LABEL = 'ai.dstack.job-id';
/** Which agent a container belongs to; several may share one daemon. */
export const AGENT_LABEL = 'ai.dstack.agent-id';

export function containerName(jobId: string): string {
  return `dstack-${jobId}`;
}

/** What was decided about a job's container before it is made. */
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

/** Things that some hosts or daemons do not have and that a job can do without. */
export interface Leniency {
  /** An init process that reaps and forwards signals. */
  readonly init: boolean;
  /** The `display` capability of NVIDIA's runtime. */
  readonly display: boolean;
}

export function containerOptions(
  job: ExecutorJob,
  plan: ContainerPlan,
  leniency: Leniency,
): Docker.ContainerCreateOptions {
  const { spec } = job;
  const host = spec.network_mode === 'host';
  return {
    name: containerName(spec.id),
    Image: plan.image,
    // As entrypoint, because a command alone would become arguments of the image's own one.
    ...(spec.commands.length > 0 ? { Entrypoint: [...spec.commands], Cmd: [] } : {}),
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
    HostConfig: hostConfig(job, plan, leniency),
  };
}

function hostConfig(job: ExecutorJob, plan: ContainerPlan, leniency: Leniency): Docker.HostConfig {
  const { spec, gpus } = job;
  const shm = spec.shm_size_bytes;
  const base: Docker.HostConfig = {
    NetworkMode: spec.network_mode,
    RestartPolicy: { Name: 'no' },
    // Never `local`, which loses newlines, and never a remote default: it is read back after crashes.
    LogConfig: { Type: 'json-file', Config: { 'max-size': '256m', 'max-file': '4' } },
    Privileged: spec.privileged,
    Mounts: [...plan.mounts],
    GroupAdd: [...plan.groupAdd],
    ...(leniency.init ? { Init: true } : {}),
    ...(spec.cpu_limit === null ? {} : { NanoCpus: Math.round(spec.cpu_limit * 1e9) }),
    ...(spec.memory_limit_bytes === null ? {} : { Memory: spec.memory_limit_bytes }),
    // Docker's own /dev/shm is noexec.
    ...(shm === null ? {} : { ShmSize: shm, Tmpfs: { '/dev/shm': `exec,size=${shm}` } }),
  };
  const withGpus = { ...base, ...gpuConfig(gpus, leniency) };
  if (!existsSync('/dev/infiniband')) return withGpus;
  return {
    ...withGpus,
    Devices: [...(withGpus.Devices ?? []), device('/dev/infiniband')],
    Ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }],
  };
}

/** How each vendor's devices get into a container. */
function gpuConfig(gpus: readonly HostGpu[], leniency: Leniency): Docker.HostConfig {
  const ids = gpus.map((gpu) => gpu.id);
  switch (gpus[0]?.vendor) {
    case 'nvidia': {
      const capabilities = ['gpu', 'utility', 'compute', 'graphics', 'video', 'compat32'];
      if (leniency.display) capabilities.push('display');
      return { DeviceRequests: [{ DeviceIDs: ids, Capabilities: [capabilities] }] };
    }
    case 'amd':
      return {
        Devices: ['/dev/kfd', ...ids].map(device),
        IpcMode: 'host',
        CapAdd: ['SYS_PTRACE'],
        SecurityOpt: ['seccomp=unconfined'],
      };
    case 'tenstorrent':
      return { Devices: ids.map((index) => device(`/dev/tenstorrent/${index}`)) };
    case 'intel':
      return { Runtime: 'habana', IpcMode: 'host', CapAdd: ['SYS_NICE'] };
    default:
      return {};
  }
}

/** Groups of the host that own a job's device files, so that users other than root can open them. */
export function deviceGroups(gpus: readonly HostGpu[]): string[] {
  if (gpus[0]?.vendor !== 'amd') return [];
  const paths = ['/dev/kfd', ...gpus.map((gpu) => gpu.id)];
  const ids = paths.filter((path) => existsSync(path)).map((path) => statSync(path).gid);
  return [...new Set(ids)].filter((gid) => gid !== 0).map(String);
}

/** Vendor variables and mounts that go with the devices. */
export function gpuEnvironment(gpus: readonly HostGpu[]): Record<string, string> {
  if (gpus[0]?.vendor !== 'intel') return {};
  return { HABANA_VISIBLE_DEVICES: gpus.map((gpu) => gpu.id).join(',') };
}

export function gpuMounts(gpus: readonly HostGpu[]): Docker.MountSettings[] {
  const huge = '/dev/hugepages-1G';
  if (gpus[0]?.vendor !== 'tenstorrent' || !existsSync(huge)) return [];
  return [{ Type: 'bind', Source: huge, Target: huge }];
}

function device(path: string): Docker.DeviceMapping {
  return { PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rwm' };
}

/** A run's name as a host name: at most 63 letters, digits and dashes. */
function hostname(runName: string): string {
  return runName.replace(/[^A-Za-z0-9-]/g, '-').slice(0, 63) || 'job';
}
