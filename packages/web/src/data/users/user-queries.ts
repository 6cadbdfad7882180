import type { Client } from '@dstack/client';
import type { PublicKeyInfo, User } from '@dstack/contract/wire';
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

/** Public SSH keys of the caller. */
export function publicKeyList(client: Client) {
  return queryOptions<readonly PublicKeyInfo[]>({
    queryKey: userKeys.keys,
    queryFn: () => client.users.listPublicKeys(),
  });
}
