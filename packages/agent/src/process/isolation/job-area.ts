import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { noticeFileOf, serverSocketOf } from '../../executor/job-folder.ts';
import { mountPoints, mountWithin } from '../../host/mount-points.ts';
import { removeTrees } from '../../host/remove-trees.ts';

/** Other users may enter the folder, but not list it. */
const ENTER_ONLY = 0o711;

export interface FolderOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Folder of an area where files are made. It holds the list of files that were put elsewhere. */
const STAGE = 'stage';

/** Folders of an area that replace the machine's shared ones. */
export const TEMPORARY = { tmp: '/tmp', 'var-tmp': '/var/tmp' } as const;

/**
 * Creates the area for the files of one job's user; only the owner can enter. Removes the leftovers
 * of an earlier attempt, except its list of the files that it put elsewhere. An area is
 * `<base>/<server>/<job>`.
 */
export async function makeArea(area: string, owner: FolderOwner): Promise<void> {
  await emptyArea(area, owner);
  for (let made = existsSync(area); !made; ) {
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
  // Set last, so that the job's user cannot enter before the area is complete.
  chownSync(area, owner.uid, owner.gid);
}

/** Creates the folder of the areas of a server's jobs, which jobs may enter but not list. */
export function makeHomes(area: string): void {
  const homes = dirname(area);
  for (const dir of [dirname(homes), homes]) makeWay(dir);
}

/** A private folder for the mounts of a job while its namespace is made. */
export function makeStaging(area: string): string {
  const path = join(area, 'mounts');
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/**
 * Removes an area of this base folder with its contents and its socket, and the folder of its
 * server if this was the last area. Rejects if the path is not an area or something in it cannot be
 * removed.
 */
export async function removeArea(area: string, base: string): Promise<void> {
  if (existsSync(area)) checkArea(area, base);
  else if (!isArea(area, base)) return;
  await removeTrees([area, serverSocketOf(area), noticeFileOf(area)]);
  try {
    rmdirSync(dirname(area));
  } catch {
    // It is missing, or other jobs of this server have their folders there.
  }
}

/**
 * Makes the agent the owner of an area and removes everything from it, except a `stage` that belongs to
 * the job's user.
 */
async function emptyArea(area: string, { uid }: FolderOwner): Promise<void> {
  if (!existsSync(area)) return;
  checkArea(area, dirname(dirname(area)));
  chownSync(area, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  const stage = lstatSync(join(area, STAGE), { throwIfNoEntry: false });
  const isKept = stage?.isDirectory() === true && stage.uid === uid;
  const names = readdirSync(area).filter((name) => !(isKept && name === STAGE));
  await removeTrees(names.map((name) => join(area, name)));
}

/** Throws if the path is not an area, or something is mounted in it. */
function checkArea(area: string, base: string): void {
  if (!isArea(area, base)) throw new Error(`${area} is not a job's folder`);
  const mount = mountWithin(realpathSync(area), mountPoints());
  // A mount shows files that do not belong to the job.
  if (mount !== undefined) throw new Error(`something is still mounted at ${mount}`);
}

function isArea(area: string, base: string): boolean {
  const inside = relative(base, area);
  return /^[^/]+\/[0-9a-f]+$/.test(inside) && !inside.startsWith('.');
}

/** False: the folder around it was just removed with its last other area. */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Refuses a folder of another user, who could replace a job's folder by a link. */
function makeWay(dir: string): void {
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true });
  const { uid } = lstatSync(dir);
  if (!lstatSync(dir).isDirectory() || uid !== process.getuid?.()) {
    throw new Error(`${dir} is not a folder of the agent's user; remove it`);
  }
  chmodSync(dir, ENTER_ONLY);
}
