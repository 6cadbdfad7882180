import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The control groups of one job: at most one of version 2, and those of version 1 that exist. */
export interface JobCgroup {
  /** Directory in the version 2 hierarchy, which has `cgroup.kill`; null if there is none. */
  readonly unified: string | null;
  /** Directories of version 1 by controller (`memory`, `cpu`, `cpuacct`). */
  readonly legacy: Readonly<Record<string, string>>;
}

export interface CgroupLimits {
  readonly cpus: number | null;
  readonly memoryBytes: number | null;
}

export interface CgroupMount {
  readonly unified: boolean;
  readonly controllers: readonly string[];
  readonly path: string;
}

const LEGACY = ['memory', 'cpu', 'cpuacct'];
const CPU_PERIOD = 100_000;

/** The cgroup mounts in the text of `/proc/self/mountinfo`. */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line): CgroupMount[] => {
    const [left, right] = line.split(' - ');
    const path = left?.split(' ')[4];
    const [type, , options] = right?.split(' ') ?? [];
    if (!path) return [];
    if (type === 'cgroup2') return [{ unified: true, controllers: [], path }];
    if (type === 'cgroup') {
      return [{ unified: false, controllers: (options ?? '').split(','), path }];
    }
    return [];
  });
}

/** The path of a process in a hierarchy, from `/proc/<pid>/cgroup`; `''` selects version 2. */
export function parseCgroupPath(text: string, controller: string): string | null {
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    const names = match[1] ?? '';
    if (controller === '' ? names === '' : names.split(',').includes(controller)) {
      return match[2] ?? null;
    }
  }
  return null;
}

/** Makes the groups that the host and the agent's rights allow; there may be none. */
export function makeJobCgroup(name: string, limits: CgroupLimits): JobCgroup {
  const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const own = readFileSync('/proc/self/cgroup', 'utf8');
  const legacy: Record<string, string> = {};
  for (const controller of LEGACY) {
    const mount = mounts.find((each) => each.controllers.includes(controller));
    const dir = mount && makeDir(mount.path, parseCgroupPath(own, controller), name);
    if (dir) legacy[controller] = dir;
  }
  const mount = mounts.find((each) => each.unified);
  const unified = mount ? makeUnified(mount.path, parseCgroupPath(own, ''), name) : null;
  const cgroup = { unified, legacy };
  applyLimits(cgroup, limits);
  return cgroup;
}

/** The files into which a process writes its pid to join the groups. */
export function joinFiles(cgroup: JobCgroup): string[] {
  const dirs = [...(cgroup.unified ? [cgroup.unified] : []), ...Object.values(cgroup.legacy)];
  return [...new Set(dirs)].map((dir) => join(dir, 'cgroup.procs'));
}

/** Processes in any of the job's groups. */
export function cgroupPids(cgroup: JobCgroup): number[] {
  const pids = joinFiles(cgroup).flatMap((file) => read(file).split('\n'));
  return [...new Set(pids.filter((pid) => pid !== '').map(Number))];
}

/** If the kernel can kill a whole group, not even a process that is just being forked escapes. */
export function killCgroup(cgroup: JobCgroup): void {
  if (cgroup.unified !== null) write(join(cgroup.unified, 'cgroup.kill'), '1');
}

/** Removes the groups, which must be empty. */
export function removeCgroup(cgroup: JobCgroup): void {
  for (const file of joinFiles(cgroup)) {
    try {
      rmdirSync(join(file, '..'));
    } catch {
      // A dying process is still in it, or it is already removed. An empty group costs nothing.
    }
  }
}

function makeUnified(mount: string, own: string | null, name: string): string | null {
  if (own === null) return null;
  // Fails while the parent has processes of its own. The group can then kill but not limit.
  for (const controller of ['cpu', 'memory']) {
    write(join(mount, own, 'cgroup.subtree_control'), `+${controller}`);
  }
  const dir = makeDir(mount, own, name);
  return dir !== null && existsSync(join(dir, 'cgroup.kill')) ? dir : null;
}

function makeDir(mount: string, own: string | null, name: string): string | null {
  if (own === null) return null;
  const dir = join(mount, own, name);
  try {
    mkdirSync(dir);
    return dir;
  } catch {
    return existsSync(dir) ? dir : null;
  }
}

function applyLimits(cgroup: JobCgroup, limits: CgroupLimits): void {
  const { unified, legacy } = cgroup;
  if (limits.memoryBytes !== null) {
    const bytes = String(limits.memoryBytes);
    if (legacy.memory) write(join(legacy.memory, 'memory.limit_in_bytes'), bytes);
    else if (unified) write(join(unified, 'memory.max'), bytes);
  }
  if (limits.cpus !== null) {
    const quota = String(Math.max(1000, Math.round(limits.cpus * CPU_PERIOD)));
    if (legacy.cpu) write(join(legacy.cpu, 'cpu.cfs_quota_us'), quota);
    else if (unified) write(join(unified, 'cpu.max'), `${quota} ${CPU_PERIOD}`);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'w' });
  } catch {
    // Not writable on this host, so the group has no limits.
  }
}
