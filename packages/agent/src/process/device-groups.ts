import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HostGpu } from '@dstack/contract/agent';

/** Device files of each vendor's GPUs: the folder and the prefix of their names. */
const DEVICES: Readonly<Record<HostGpu['vendor'], readonly (readonly [string, RegExp])[]>> = {
  nvidia: [
    ['/dev', /^nvidia/],
    ['/dev/nvidia-caps', /./],
    ['/dev/dri', /^render/],
  ],
  amd: [
    ['/dev', /^kfd$/],
    ['/dev/dri', /^render/],
  ],
  intel: [
    ['/dev/accel', /./],
    ['/dev/infiniband', /./],
  ],
  tenstorrent: [['/dev/tenstorrent', /./]],
};

/**
 * The groups that own the device files of a job's GPUs, without the group of root. A user in these
 * groups can open the files.
 */
export function deviceGroups(gpus: readonly HostGpu[]): number[] {
  const groups = new Set<number>();
  for (const vendor of new Set(gpus.map((gpu) => gpu.vendor))) {
    for (const [dir, name] of DEVICES[vendor]) {
      for (const file of list(dir).filter((each) => name.test(each))) {
        const group = groupOf(join(dir, file));
        if (group !== null) groups.add(group);
      }
    }
  }
  return [...groups].sort((a, b) => a - b);
}

/** Null if all users may open it, or only root. */
function groupOf(path: string): number | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isCharacterDevice() || stats.gid === 0) return null;
  const [group, others] = [(stats.mode & 0o060) === 0o060, (stats.mode & 0o006) === 0o006];
  return group && !others ? stats.gid : null;
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    // The machine has no such devices.
    return [];
  }
}
