import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JobCgroup, parseCgroupMounts, parseCgroupPath } from '../host/cgroup.ts';

const CONTROLLERS = ['memory', 'cpuacct'];

/**
 * The control groups of a container, found by its first process as this host numbers it. Empty when
 * the daemon numbers processes differently.
 */
export function containerCgroup(pid: number): JobCgroup {
  const own = read(`/proc/${pid}/cgroup`);
  const mounts = parseCgroupMounts(read('/proc/self/mountinfo'));
  const legacy: Record<string, string> = {};
  for (const controller of CONTROLLERS) {
    const mount = mounts.find((each) => each.controllers.includes(controller));
    const dir = mount && below(mount.path, parseCgroupPath(own, controller));
    if (dir) legacy[controller] = dir;
  }
  const mount = mounts.find((each) => each.unified);
  const unified = mount ? below(mount.path, parseCgroupPath(own, '')) : null;
  return { unified, legacy };
}

/** Never the root of a hierarchy, which stands for the whole machine. */
function below(mount: string, path: string | null): string | null {
  if (path === null || path === '/') return null;
  const dir = join(mount, path);
  return existsSync(dir) ? dir : null;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
