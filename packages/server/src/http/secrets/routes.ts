import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import {
  checkManagesSecrets,
  deleteSecrets,
  getSecret,
  listSecrets,
  putSecret,
} from './service.ts';

export function secretRoutes(on: On, deps: HttpDeps): void {
  on('secrets.list', async ({ project, role }) => {
    checkManagesSecrets(deps, role);
    return listSecrets(deps, project);
  });
  on('secrets.get', async ({ project, role, body }) => {
    checkManagesSecrets(deps, role);
    return getSecret(deps, project, body.name);
  });
  on('secrets.create_or_update', async ({ project, role, body, user }) => {
    checkManagesSecrets(deps, role);
    return putSecret(deps, project, body, user);
  });
  on('secrets.delete', async ({ project, role, body, user }) => {
    checkManagesSecrets(deps, role);
    await deleteSecrets(deps, project, body.secrets_names, user);
    return null;
  });
}
