import { isSshUserName } from '@dstack/contract';
import type { UnixUser } from '@dstack/contract/wire';

/**
 * `name-or-id[:group-or-id]`, as in configurations and in `USER` of images; null if it is invalid.
 */
export function unixUser(text: string): UnixUser | null {
  const [user = '', group, ...rest] = text.split(':');
  if (user === '' || group === '' || rest.length > 0) return null;
  const uid = numeric(user);
  const gid = group === undefined ? null : numeric(group);
  // An image may contain any text here; the name becomes the one that clients log in with.
  if (uid === null && !isSshUserName(user)) return null;
  if (group !== undefined && gid === null && !isSshUserName(group)) return null;
  return {
    uid,
    gid,
    username: uid === null ? user : null,
    groupname: gid === null ? (group ?? null) : null,
  };
}

function numeric(text: string): number | null {
  return /^\d+$/.test(text) ? Number(text) : null;
}
