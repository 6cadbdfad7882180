/** Where git clones for a container: a place that holds nothing else, and a user that owns nothing else. */
import { execFile } from 'node:child_process';
import { createHash, randomInt, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { RepoForAgent } from '@dstack/contract/agent';

const run = promisify(execFile);

export interface CloneUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ClonePlace {
  /** Does not exist yet. */
  readonly dir: string;
  readonly home: string;
  /** For files that git's user reads. */
  readonly guard: string;
  /** Null: git runs as this process. */
  readonly user: CloneUser | null;
  /** Ends what still runs as the user, and removes everything. */
  remove(): Promise<void>;
}

/** Ids of users that no other program gives away (systemd's documentation on UIDs). */
const UNUSED = { from: 0x7000_0000, to: 0x8000_0000 } as const;
const NOBODY = 65_534;

/** Git's user cannot enter the state of the agent. */
const SHARED = '/var/lib/dstack-clones';

export const clonesOf = (stateDir: string): string =>
  join(SHARED, createHash('sha256').update(stateDir).digest('hex').slice(0, 12));

export interface CloneOrder {
  readonly jobId: string;
  /** A private folder of the job. */
  readonly scratch: string;
  readonly stateDir: string;
  /** OpenSSH refuses to run as a user without a name. */
  readonly needsName: boolean;
}

/** Whether git will start OpenSSH. */
export const usesSsh = (repo: Pick<RepoForAgent, 'clone_url' | 'private_key'>): boolean =>
  repo.private_key !== null || !/^https?:/.test(repo.clone_url ?? 'https:');

export async function makeClonePlace(order: CloneOrder): Promise<ClonePlace> {
  const { jobId, scratch, stateDir, needsName } = order;
  const attempt = randomUUID();
  if (process.getuid?.() !== 0) {
    // A git process of an earlier agent may still write to its directory, so the new one differs.
    rmSync(scratch, { recursive: true, force: true });
    const base = join(scratch, attempt);
    mkdirSync(base, { recursive: true, mode: 0o700 });
    const remove = async () => rmSync(scratch, { recursive: true, force: true });
    return { ...placesIn(base), user: null, remove };
  }
  await removeClones(stateDir, (id) => id === jobId);
  const base = join(clonesOf(stateDir), `${jobId}.${attempt}`);
  for (const dir of [SHARED, dirname(base), base]) {
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o711);
  }
  const own = join(base, 'own');
  mkdirSync(own, { mode: 0o700 });
  const user = giveAway(own, needsName);
  const remove = () => removePlace(base, user);
  return { ...placesIn(own), guard: join(base, 'guard'), user, remove };
}

/** Where the agent itself is in a container, the kernel may know few ids. */
function giveAway(dir: string, needsName: boolean): CloneUser {
  const of = (id: number) => ({ uid: id, gid: id });
  const user = of(needsName ? NOBODY : randomInt(UNUSED.from, UNUSED.to));
  try {
    chownSync(dir, user.uid, user.gid);
    return user;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  }
  chownSync(dir, NOBODY, NOBODY);
  return of(NOBODY);
}

function placesIn(base: string) {
  return { dir: join(base, 'repo'), home: join(base, 'home'), guard: join(base, 'guard') };
}

/** Acts as the user of its files: root would follow links that a process of that user creates. */
async function removePlace(base: string, user: CloneUser): Promise<void> {
  const own = join(base, 'own');
  const kill = user.uid === NOBODY ? '' : 'kill -9 -1 2>/dev/null; ';
  const script = `${kill}chmod -R u+rwX "$0"; rm -rf "$0"/* "$0"/.[!.]* "$0"/..?*`;
  await run('/bin/sh', ['-c', script, own], {
    cwd: '/',
    ...user,
    env: { PATH: process.env.PATH },
  }).catch(
    // The directories below cannot be removed then, which throws.
    () => {},
  );
  rmdirSync(own);
  rmSync(join(base, 'guard'), { recursive: true, force: true });
  rmdirSync(base);
  for (const dir of [dirname(base), SHARED]) removeEmpty(dir);
}

function removeEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Other clones are under way there.
  }
}

/** Removes what an agent has left that died during a clone, of the jobs that `isOver` names. */
export async function removeClones(
  stateDir: string,
  isOver: (jobId: string) => boolean,
): Promise<void> {
  const folder = clonesOf(stateDir);
  for (const name of namesIn(folder)) {
    if (!isOver(name.split('.')[0] ?? '')) continue;
    // Only by the user of its files.
    const owner = ownerOf(join(folder, name, 'own'));
    if (owner !== null) await removePlace(join(folder, name), owner);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No clone has been made.
    return [];
  }
}

function ownerOf(dir: string): CloneUser | null {
  try {
    const { uid, gid } = lstatSync(dir);
    return uid === 0 ? null : { uid, gid };
  } catch {
    // Removed meanwhile.
    return null;
  }
}
