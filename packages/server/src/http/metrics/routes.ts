import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { jobMetrics } from './service.ts';

export function metricsRoutes(on: On, deps: HttpDeps): void {
  on('metrics.job', async ({ project, params, query }) => ({
    metrics: await jobMetrics(deps, project, params.run_name ?? '', query),
  }));
}
