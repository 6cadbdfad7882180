import { formatTimestamp, type User, type UserWithCreds } from '@dstack/contract/wire';
import type { UserCredentials, UserRecord } from '@dstack/store';
import type { PermissionDefaults } from '../ports.ts';

export function wireUser(user: UserRecord, defaults: PermissionDefaults): User {
  return {
    id: user.id,
    username: user.name,
    created_at: formatTimestamp(user.createdAt),
    global_role: user.globalRole,
    email: user.email,
    active: user.active,
    permissions: {
      can_create_projects: user.globalRole === 'admin' || defaults.allow_non_admins_create_projects,
    },
    ssh_public_key: user.sshPublicKey,
  };
}

export function wireUserWithCreds(
  user: UserRecord,
  credentials: UserCredentials,
  defaults: PermissionDefaults,
): UserWithCreds {
  return {
    ...wireUser(user, defaults),
    creds: { token: credentials.token },
    ssh_private_key: credentials.sshPrivateKey,
  };
}
