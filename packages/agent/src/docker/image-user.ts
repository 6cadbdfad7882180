import type { JobUser } from '@dstack/contract/agent';
import type { ResolvedUser } from '../executor/accounts.ts';

/** An image's `USER`: `name|uid[:group|gid]`, empty for root. */
export function parseUser(text: string): {
  uid?: number;
  gid?: number;
  username?: string;
  groupname?: string;
} {
  const [user = '', group] = text.split(':');
  if (user === '') return { uid: 0 };
  return {
    ...(/^\d+$/.test(user) ? { uid: Number(user) } : { username: user }),
    ...(group === undefined
      ? {}
      : /^\d+$/.test(group)
        ? { gid: Number(group) }
        : { groupname: group }),
  };
}

/** For a running container whose image was removed: only the user's name is left. */
export function unknownUser(requestedUser: Partial<JobUser>): ResolvedUser {
  const { username = null, uid, gid } = requestedUser;
  return { username, uid: uid ?? 0, gid: gid ?? 0, home: '/', shell: null, groups: [] };
}
