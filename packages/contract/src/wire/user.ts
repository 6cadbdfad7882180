/** Users, their credentials and public keys. */
import * as z from 'zod';
import {
  choiceOf,
  DateTime,
  Flag,
  Integer,
  model,
  nullable,
  Text,
  Uuid,
  Uuid4,
} from './scalars.ts';

export const GLOBAL_ROLES = ['admin', 'user'] as const;
export const GlobalRole = choiceOf(GLOBAL_ROLES);
export type GlobalRole = z.infer<typeof GlobalRole>;

export const PROJECT_ROLES = ['admin', 'manager', 'user'] as const;
export const ProjectRole = choiceOf(PROJECT_ROLES);
export type ProjectRole = z.infer<typeof ProjectRole>;

export const UserPermissions = model({ can_create_projects: Flag });
export type UserPermissions = z.infer<typeof UserPermissions>;

const userShape = {
  id: Uuid4,
  username: Text,
  created_at: nullable(DateTime),
  global_role: GlobalRole,
  email: nullable(Text),
  active: Flag,
  permissions: UserPermissions,
  ssh_public_key: nullable(Text),
};

export const User = model(userShape);
export type User = z.infer<typeof User>;

export const UserTokenCreds = model({ token: Text });
export type UserTokenCreds = z.infer<typeof UserTokenCreds>;

export const UserWithCreds = model({
  ...userShape,
  creds: UserTokenCreds,
  ssh_private_key: nullable(Text),
});
export type UserWithCreds = z.infer<typeof UserWithCreds>;

export const UsersInfoList = model({ total_count: nullable(Integer), users: z.array(User) });
export type UsersInfoList = z.infer<typeof UsersInfoList>;

export const PublicKeyInfo = model({
  id: Uuid,
  added_at: DateTime,
  name: Text,
  type: Text,
  fingerprint: Text,
});
export type PublicKeyInfo = z.infer<typeof PublicKeyInfo>;
