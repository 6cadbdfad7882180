/** Free space, free inodes and read-only file systems where images and jobs live. */
import { readFile, realpath, stat, statfs } from 'node:fs/promises';
import { type Check, type CheckFinding, type CheckStatus, combine, isAtLeast } from './check.ts';

export interface DiskFacts {
  readonly path: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** 0: the file system does not limit them. */
  readonly inodes: number;
  readonly freeInodes: number;
  readonly readOnly: boolean;
}

const GIB = 2 ** 30;
const GB = 1e9;

/** The limit as a share and as an amount of free space; the lower one applies. */
const LIMITS = [
  { status: 'failure', share: 0.01, bytes: GIB },
  { status: 'warning', share: 0.05, bytes: 10 * GIB },
] as const;

/** Space has to exceed a limit by this factor before the status improves, so that it does not flap. */
const MARGIN = 1.2;

/** `before`: the status that the last run found. */
export function diskHealth(disks: readonly DiskFacts[], before: CheckStatus): CheckFinding {
  return combine(disks.flatMap((disk) => findings(disk, before)));
}

function findings(disk: DiskFacts, before: CheckStatus): CheckFinding[] {
  const { path, totalBytes, freeBytes, inodes, freeInodes } = disk;
  const found: CheckFinding[] = [];
  if (disk.readOnly) {
    const message = `the file system of ${path} is read-only; check its disk (\`dmesg\`) and mount it for writing`;
    found.push({ status: 'failure', message });
  }
  for (const { status, share, bytes } of LIMITS) {
    const margin = isAtLeast(before, status) ? MARGIN : 1;
    if (totalBytes > 0 && freeBytes < Math.min(totalBytes * share, bytes) * margin) {
      const percent = Math.floor((100 * freeBytes) / totalBytes);
      const message = `${amount(freeBytes)} (${percent} %) of the disk of ${path} are free; remove files or images`;
      found.push({ status, message });
      break;
    }
  }
  for (const { status, share } of LIMITS) {
    const margin = isAtLeast(before, status) ? MARGIN : 1;
    if (inodes > 0 && freeInodes < inodes * share * margin) {
      const percent = Math.floor((100 * freeInodes) / inodes);
      const message = `${percent} % of the inodes of the file system of ${path} are free; remove files`;
      found.push({ status, message });
      break;
    }
  }
  return found;
}

/** Coarse, because a message that changes with every byte would be stored every time. */
function amount(bytes: number): string {
  return bytes < GB ? 'less than 1 GB' : `${Math.floor(bytes / GB)} GB`;
}

/** Whether the file system at this path is mounted read-only, by the text of `/proc/self/mountinfo`. */
export function isReadOnly(mountinfo: string, path: string): boolean {
  let best: { readonly point: string; readonly readOnly: boolean } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , , point, options] = left.split(' ');
    if (point === undefined || options === undefined) continue;
    const mount = unescaped(point);
    const isAbove = mount === '/' || path === mount || path.startsWith(`${mount}/`);
    // Several mounts may have one point; the last one is visible.
    if (!isAbove || (best !== null && mount.length < best.point.length)) continue;
    const all = [...options.split(','), ...(right.split(' ')[2] ?? '').split(',')];
    best = { point: mount, readOnly: all.includes('ro') };
  }
  return best?.readOnly ?? false;
}

/** The kernel writes spaces and similar characters as three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, code) =>
    String.fromCharCode(Number.parseInt(code, 8)),
  );
}

export function diskCheck(paths: readonly string[], periodMs: number): Check {
  let before: CheckStatus = 'healthy';
  return {
    name: 'disk',
    periodMs,
    async run() {
      const found = diskHealth(await readDisks(paths), before);
      before = found.status;
      return found;
    },
  };
}

/** One entry for each file system; missing paths are omitted. */
async function readDisks(paths: readonly string[]): Promise<DiskFacts[]> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const disks = new Map<number, DiskFacts>();
  for (const path of paths) {
    const real = await realpath(path).catch(() => null);
    if (real === null) continue;
    const { dev } = await stat(real);
    if (disks.has(dev)) continue;
    const { blocks, bavail, bsize, files, ffree } = await statfs(real);
    disks.set(dev, {
      path,
      totalBytes: blocks * bsize,
      freeBytes: bavail * bsize,
      inodes: files,
      freeInodes: ffree,
      readOnly: isReadOnly(mountinfo, real),
    });
  }
  return [...disks.values()];
}
