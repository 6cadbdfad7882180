import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalUids } from './local-settings.ts';

/** Shared by all servers of this computer: files of their jobs, and the assignment of user ids. */
const BASE = '/var/lib/dstack-jobs';

/** Users and rights of process jobs on the server's machine. */
export interface LocalUsers {
  /** User ids for jobs, one each; null = jobs run as the server does. */
  readonly own: { readonly uids: LocalUids; readonly homes: string } | null;
  /** Whether directories of the machine can be mounted into jobs. */
  readonly mounts: boolean;
  /** Why jobs have no user ids of their own. */
  readonly why: 'not root' | 'ids not mapped' | null;
}

/** Finds out which rights this process can give to jobs. */
export async function localUsers(uids: LocalUids, serverId: string): Promise<LocalUsers> {
  if (process.getuid?.() !== 0) return { own: null, mounts: false, why: 'not root' };
  const mounts = await canMount();
  // In a container, root may have only some ids mapped.
  const mapped = (await isMapped('uid', uids)) && (await isMapped('gid', uids));
  if (!mapped) return { own: null, mounts, why: 'ids not mapped' };
  return { own: { uids, homes: join(BASE, serverId) }, mounts, why: null };
}

async function canMount(): Promise<boolean> {
  const words = ['--mount', '--ipc', '--propagation', 'slave', '--', 'true'];
  return await promisify(execFile)('unshare', words).then(
    () => true,
    () => false,
  );
}

/**
 * `dir`: of this process in `/proc`. A system without user namespaces has no maps, and all ids can
 * be used.
 */
export async function isMapped(
  kind: 'uid' | 'gid',
  range: LocalUids,
  dir = '/proc/self',
): Promise<boolean> {
  try {
    return coversRange(await readFile(join(dir, `${kind}_map`), 'utf8'), range);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Lines of first id inside, first id outside, and how many. */
export function coversRange(map: string, { first, last }: LocalUids): boolean {
  return map.split('\n').some((line) => {
    const [inside = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return inside <= first && last < inside + count;
  });
}
