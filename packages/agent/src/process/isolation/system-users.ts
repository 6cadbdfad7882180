import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseGroup, parsePasswd } from '../../executor/accounts.ts';

/** Where systemd keeps the ids of services (`DynamicUser=`), one locked file each. */
const DYNAMIC_USERS = '/run/systemd/dynamic-uid';

/** Exit code of a program whose lock was taken. */
export const LOCK_TAKEN = 75;

/** Whether the id belongs to an account or a group of the host, or to a service of systemd. */
export function isKnownToSystem(id: number): boolean {
  return isOfService(id) || isNamed('passwd', id) || isNamed('group', id);
}

/**
 * A command prefix. While the program runs, systemd gives this id to no service: both take ids from
 * the same range. The lock ends with the program.
 */
export function reserveFromServices(id: number): string[] {
  if (!existsSync(DYNAMIC_USERS)) return [];
  const options = ['--no-fork', '--nonblock', '--conflict-exit-code', String(LOCK_TAKEN)];
  return ['flock', ...options, join(DYNAMIC_USERS, String(id))];
}

function isOfService(id: number): boolean {
  const path = join(DYNAMIC_USERS, String(id));
  if (!existsSync(path)) return false;
  return spawnSync('flock', ['--nonblock', path, 'true'], { stdio: 'ignore' }).status !== 0;
}

function isNamed(kind: 'passwd' | 'group', id: number): boolean {
  try {
    execFileSync('getent', [kind, String(id)], { stdio: 'ignore' });
    return true;
  } catch (error) {
    const { status, code } = error as { readonly status?: number | null; readonly code?: string };
    // 2: there is no such account. Without the program, read only the files.
    if (code === 'ENOENT') return isInFile(kind, id);
    return status !== 2;
  }
}

function isInFile(kind: 'passwd' | 'group', id: number): boolean {
  const text = existsSync(`/etc/${kind}`) ? readFileSync(`/etc/${kind}`, 'utf8') : '';
  return kind === 'passwd'
    ? parsePasswd(text).some(({ uid }) => uid === id)
    : parseGroup(text).some(({ gid }) => gid === id);
}
