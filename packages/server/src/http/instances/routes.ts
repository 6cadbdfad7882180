import type { On } from '../call.ts';
import type { HttpDeps } from '../ports.ts';
import { cordonInstances, drainInstances, uncordonInstances } from './cordon.ts';
import { useOfInstances } from './recent-use.ts';
import { getInstance, healthChecks, listInstances } from './service.ts';

export function instanceRoutes(on: On, deps: HttpDeps): void {
  on('instances.list', ({ user, body }) => listInstances(deps, user, body));
  on('instances.get', ({ project, body, user, role }) =>
    getInstance(deps, project, body.id, { user, role }),
  );
  on('instances.recent_use', ({ user, body }) => useOfInstances(deps, user, body.instance_ids));
  on('instances.cordon', ({ project, body, user }) => cordonInstances(deps, project, body, user));
  on('instances.drain', ({ project, body, user }) => drainInstances(deps, project, body, user));
  on('instances.uncordon', ({ project, body, user }) =>
    uncordonInstances(deps, project, body.names, user),
  );
  on('instances.get_health_checks', async ({ project, body }) => ({
    health_checks: await healthChecks(deps, project, body),
  }));
}
