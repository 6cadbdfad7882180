import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { createServiceToken, deleteServiceTokens, listServiceTokens } from './service.ts';

export function serviceTokenRoutes(on: On, deps: HttpDeps): void {
  on('service_tokens.list', ({ project }) => listServiceTokens(deps, project));
  on('service_tokens.create', ({ project, body, user }) =>
    createServiceToken(deps, project, body, user),
  );
  on('service_tokens.delete', async ({ project, body, user }) => {
    await deleteServiceTokens(deps, project, body.names, user);
    return null;
  });
}
