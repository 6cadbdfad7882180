import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { usageByModel } from './service.ts';

export function modelUsageRoutes(on: On, deps: HttpDeps): void {
  on('models.usage', ({ project, query }) => usageByModel(deps, project, query));
}
