import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { metricsHistory } from './history.ts';
import { jobMetrics } from './service.ts';

export function metricsRoutes(on: On, deps: HttpDeps): void {
  on('metrics.job', async ({ project, params, query }) => ({
    metrics: await jobMetrics(deps, project, params.run_name ?? '', query),
  }));
  on('metrics.history', ({ project, body }) => metricsHistory(deps, project, body));
}
