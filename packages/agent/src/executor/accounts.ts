import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { JobUser } from '@dstack/contract/agent';
import type { JobAccount } from './job-account.ts';
import { JobFailure } from './job-failure.ts';

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid, , home = '', shell = ''] = line.split(':');
    if (!name || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home, shell }];
  });
}

export function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , gid, members = ''] = line.split(':');
    if (!name || gid === undefined) return [];
    return [{ name, gid: Number(gid), members: members.split(',').filter((each) => each !== '') }];
  });
}

export interface ResolvedUser extends JobAccount {
  /** Group ids beside the primary one. */
  readonly groups: readonly number[];
}

/**
 * The account of a job's `user`, by the passwd and group files of its image or host. A name must
 * exist there, a number need not. An explicit group replaces all others. Throws `JobFailure`.
 */
export function resolveUser(user: Partial<JobUser>, passwd: string, group: string): ResolvedUser {
  const entries = parsePasswd(passwd);
  const groups = parseGroup(group);
  const byNumber = user.uid !== null && user.uid !== undefined;
  const entry = entries.find((each) =>
    byNumber ? each.uid === user.uid : each.name === user.username,
  );
  if (!entry && !byNumber) {
    throw new JobFailure(
      'executor_error',
      `Unknown user ${user.username ?? ''} in the job's image`,
    );
  }
  const explicit = explicitGroup(user, groups);
  return {
    username: entry?.name ?? null,
    uid: entry?.uid ?? user.uid ?? 0,
    gid: explicit ?? entry?.gid ?? 0,
    home: usableHome(entry?.home),
    shell: entry?.shell || null,
    groups:
      explicit === null && entry
        ? groups.filter((each) => each.members.includes(entry.name)).map((each) => each.gid)
        : [],
  };
}

/** The account of this process. It may be a number without a name, as in containers. */
export function ownAccount(home: string): JobAccount {
  try {
    const { username, uid, gid, shell } = userInfo();
    return { username, uid, gid, home, shell };
  } catch {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    return { username: null, uid, gid, home, shell: null };
  }
}

/** An account of this host for a job whose home is `home`. */
export function hostAccount(user: Partial<JobUser>, home: string): JobAccount {
  const found = resolveUser(user, read('/etc/passwd'), read('/etc/group'));
  const { username, uid, gid, shell } = found;
  return { username, uid, gid, shell, home };
}

function explicitGroup(user: Partial<JobUser>, groups: readonly GroupEntry[]): number | null {
  if (user.gid !== null && user.gid !== undefined) return user.gid;
  if (!user.groupname) return null;
  const found = groups.find((each) => each.name === user.groupname);
  if (!found) {
    throw new JobFailure('executor_error', `Unknown group ${user.groupname} in the job's image`);
  }
  return found.gid;
}

/** An unusable home means the root directory, as in dstack 0.22.5. */
function usableHome(home: string | undefined): string {
  return home?.startsWith('/') && !home.includes('nonexistent') ? home : '/';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
