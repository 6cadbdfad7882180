import { existsSync, statSync } from 'node:fs';
import type { HostGpu } from '@dstack/contract/agent';
import type Docker from 'dockerode';
import type { ExecutorJob } from '../executor/executor.ts';

/** The devices, groups and limits by which a container can use devices of its host. */
export interface DeviceAccess {
  readonly devices: readonly string[];
  readonly capabilities: readonly string[];
  readonly ulimits: readonly Docker.Ulimit[];
  /** Groups of the host that own the device files, so that users other than root can open them. */
  readonly groups: readonly string[];
  readonly mounts: readonly Docker.MountSettings[];
  readonly env: Readonly<Record<string, string>>;
  /** Further settings of the container. */
  readonly more: Pick<Docker.HostConfig, 'DeviceRequests' | 'IpcMode' | 'Runtime' | 'SecurityOpt'>;
}

const NOTHING: DeviceAccess = {
  devices: [],
  capabilities: [],
  ulimits: [],
  groups: [],
  mounts: [],
  env: {},
  more: {},
};

const INFINIBAND = '/dev/infiniband';
const HUGE_PAGES = '/dev/hugepages-1G';

/**
 * How a container gets the GPUs of each vendor. `display` requests that capability from NVIDIA's
 * runtime.
 */
export function gpuAccess(gpus: readonly HostGpu[], display: boolean): DeviceAccess {
  const ids = gpus.map((gpu) => gpu.id);
  switch (gpus[0]?.vendor) {
    case 'nvidia':
      return nvidia(ids, display);
    case 'amd':
      return amd(ids);
    case 'tenstorrent':
      return tenstorrent(ids);
    case 'intel':
      return gaudi(ids);
    default:
      return NOTHING;
  }
}

/**
 * Variables by which a vendor's runtime selects devices. If NVIDIA's runtime is the daemon's
 * default, its images request all GPUs of the host, so a job without GPUs sets the variable to
 * none.
 */
export function gpuEnvironment({
  spec,
  gpus,
}: Pick<ExecutorJob, 'spec' | 'gpus'>): Readonly<Record<string, string>> {
  if (gpus.length > 0) return gpuAccess(gpus, false).env;
  const isKept = spec.privileged || !existsSync('/dev/nvidiactl');
  return isKept ? {} : { NVIDIA_VISIBLE_DEVICES: 'void' };
}

/**
 * Remote direct memory access, for every job of a host that has it. Its libraries pin the memory
 * that the adapter writes to.
 */
export function rdmaAccess(): DeviceAccess {
  if (!existsSync(INFINIBAND)) return NOTHING;
  return {
    ...NOTHING,
    devices: [INFINIBAND],
    capabilities: ['IPC_LOCK'],
    ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }],
  };
}

function nvidia(ids: readonly string[], display: boolean): DeviceAccess {
  const capabilities = ['gpu', 'utility', 'compute', 'graphics', 'video', 'compat32'];
  if (display) capabilities.push('display');
  const request = { DeviceIDs: [...ids], Capabilities: [capabilities] };
  return { ...NOTHING, more: { DeviceRequests: [request] } };
}

function amd(ids: readonly string[]): DeviceAccess {
  const devices = ['/dev/kfd', ...ids];
  const owners = devices.filter((path) => existsSync(path)).map((path) => statSync(path).gid);
  return {
    ...NOTHING,
    devices,
    groups: [...new Set(owners)].filter((gid) => gid !== 0).map(String),
    capabilities: ['SYS_PTRACE'],
    more: { IpcMode: 'host', SecurityOpt: ['seccomp=unconfined'] },
  };
}

function tenstorrent(ids: readonly string[]): DeviceAccess {
  const huge = { Type: 'bind' as const, Source: HUGE_PAGES, Target: HUGE_PAGES };
  return {
    ...NOTHING,
    devices: ids.map((index) => `/dev/tenstorrent/${index}`),
    mounts: existsSync(HUGE_PAGES) ? [huge] : [],
  };
}

function gaudi(ids: readonly string[]): DeviceAccess {
  return {
    ...NOTHING,
    capabilities: ['SYS_NICE'],
    env: { HABANA_VISIBLE_DEVICES: ids.join(',') },
    more: { IpcMode: 'host', Runtime: 'habana' },
  };
}
