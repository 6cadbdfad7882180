import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { serverSocketOf } from '../../jobs/job-folder.ts';
import { mountPoints, mountWithin } from '../../jobs/mount-points.ts';

/** Others may walk through, and see nothing of what is beside their way. */
const WAY = 0o711;
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Folders of an area that stand for those which all users of the machine share. */
export const TEMPORARY = { tmp: '/tmp', 'var-tmp': '/var/tmp' } as const;

/**
 * Makes the files of one job's user anew, with nothing of an earlier attempt in them; only the owner
 * can enter. An area is `<base>/<server>/<job>`.
 */
export function makeArea(area: string, owner: Owner): void {
  clearArea(area, dirname(dirname(area)));
  for (let made = false; !made; ) {
    makeHomes(area);
    made = makeFolder(area);
  }
  for (const name of ['home', 'work']) mkdirSync(join(area, name), { mode: 0o700 });
  for (const name of Object.keys(TEMPORARY)) {
    mkdirSync(join(area, name));
    chmodSync(join(area, name), 0o1777);
  }
  for (const name of ['home', 'work', ...Object.keys(TEMPORARY)]) {
    chownSync(join(area, name), owner.uid, owner.gid);
  }
  // The last, so that nobody can reach what is not ready.
  chownSync(area, owner.uid, owner.gid);
}

/** Makes the folder around the areas of a server's jobs, where jobs may walk through and no more. */
export function makeHomes(area: string): void {
  const homes = dirname(area);
  for (const dir of [dirname(homes), homes]) makeWay(dir);
}

/** Where the mounts of a job are kept while its namespace is made; nobody's but ours. */
export function makeStaging(area: string): string {
  const path = join(area, 'mounts');
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/**
 * Removes an area of this base folder, everything in it and its socket, and the folder of its server if
 * it was the last. Throws when something of it cannot be removed, or is no area.
 */
export function removeArea(area: string, base: string): void {
  clearArea(area, base);
  if (!isArea(area, base)) return;
  rmSync(serverSocketOf(area), { force: true });
  try {
    rmdirSync(dirname(area));
  } catch {
    // Other jobs of this server have their folders there, or it has gone before.
  }
}

function clearArea(area: string, base: string): void {
  if (!existsSync(area)) return;
  if (!isArea(area, base)) throw new Error(`${area} is no folder of a job`);
  const mount = mountWithin(realpathSync(area), mountPoints());
  // What somebody has mounted there is not the job's.
  if (mount !== undefined) throw new Error(`something is still mounted at ${mount}`);
  rmSync(area, { recursive: true, force: true });
}

function isArea(area: string, base: string): boolean {
  const inside = relative(base, area);
  return /^[^/]+\/[0-9a-f]+$/.test(inside) && !inside.startsWith('.');
}

/** False: the folder around it has just gone with the last of its other areas. */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Refuses what somebody else has put there: he could put a link in place of a job's folder. */
function makeWay(dir: string): void {
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true });
  const { uid } = lstatSync(dir);
  if (!lstatSync(dir).isDirectory() || uid !== process.getuid?.()) {
    throw new Error(`${dir} is no folder, or belongs to somebody else; remove it`);
  }
  chmodSync(dir, WAY);
}
