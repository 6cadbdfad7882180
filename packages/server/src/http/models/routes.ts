import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { serviceFigures, usageByModel } from './service.ts';

export function modelUsageRoutes(on: On, deps: HttpDeps): void {
  on('services.state', ({ project, params }) =>
    serviceFigures(deps, project, params.run_name ?? ''),
  );
  on('models.usage', ({ project, query }) => usageByModel(deps, project, query));
}
