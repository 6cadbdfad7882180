import type { Client } from '@dstack/client';
import type { Project, PublicKeyInfo, User } from '@dstack/contract/wire';
import { queryOptions } from '@tanstack/react-query';

export const userKeys = {
  all: ['user'] as const,
  list: ['user', 'list'] as const,
  keys: ['user', 'keys'] as const,
};

/** All users for global admins, only the caller for others. */
export function userList(client: Client) {
  return queryOptions<readonly User[]>({
    queryKey: userKeys.list,
    queryFn: () => client.users.list(),
  });
}

/** The projects of a user that the caller may see; `members` has the user's role. */
export function userProjectList(client: Client, username: string) {
  return queryOptions<readonly Project[]>({
    // Changes of projects concern it.
    queryKey: ['project', 'of-user', username],
    queryFn: () => client.projects.list({ username, include_not_joined: false }),
  });
}

/** Public SSH keys of the caller. */
export function publicKeyList(client: Client) {
  return queryOptions<readonly PublicKeyInfo[]>({
    queryKey: userKeys.keys,
    queryFn: () => client.users.listPublicKeys(),
  });
}
