import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { listTraffic, serviceTraffic } from './traffic.ts';

export function serviceRoutes(on: On, deps: HttpDeps): void {
  on('services.traffic', ({ project, params }) =>
    serviceTraffic(deps, project, params.run_name ?? ''),
  );
  on('services.list_traffic', ({ project, body }) => listTraffic(deps, project, body));
}
