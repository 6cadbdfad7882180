import type { On } from '../call.ts';
import { wireUser } from '../mapping/user.ts';
import type { HttpDeps } from '../ports.ts';
import { addPublicKey, deletePublicKeys, listPublicKeys } from './public-keys.ts';
import {
  createUser,
  deleteUsers,
  listUsers,
  refreshSshKey,
  refreshToken,
  updateUser,
  userFor,
  visibleUser,
} from './service.ts';

export function userRoutes(on: On, deps: HttpDeps): void {
  const { permissions } = deps.settings;
  on('users.list', ({ user, body }) => listUsers(deps, user, body));
  on('users.get_my_user', ({ user, session }) => userFor(session, deps, user));
  on('users.get_user', async ({ user, session, body }) =>
    userFor(session, deps, await visibleUser(deps, user, body.username)),
  );
  on('users.create', async ({ user, body }) =>
    wireUser(await createUser(deps, body, user), permissions),
  );
  on('users.update', async ({ user, body }) =>
    wireUser(await updateUser(deps, body, user), permissions),
  );
  on('users.refresh_token', ({ user, session, body }) =>
    refreshToken(deps, user, session, body.username),
  );
  on('users.refresh_ssh_key', async ({ user, session, body }) =>
    userFor(session, deps, await refreshSshKey(deps, user, body.username)),
  );
  on('users.delete', async ({ user, body }) => {
    await deleteUsers(deps, body.users, user);
    return null;
  });
  on('public_keys.list', ({ user }) => listPublicKeys(deps, user));
  on('public_keys.add', ({ user, body }) => addPublicKey(deps, user, body));
  on('public_keys.delete', async ({ user, body }) => {
    await deletePublicKeys(deps, user, body.ids);
    return null;
  });
}
