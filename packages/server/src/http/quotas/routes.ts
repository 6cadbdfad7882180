import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { applyQuotas, deleteQuotas, listQuotas } from './service.ts';

export function quotaRoutes(on: On, deps: HttpDeps): void {
  on('quotas.list', ({ user, body }) => listQuotas(deps, user, body.project_name));
  on('quotas.apply', ({ user, body }) => applyQuotas(deps, user, body.quotas));
  on('quotas.delete', async ({ user, body }) => {
    await deleteQuotas(deps, user, body.quotas);
    return null;
  });
}
