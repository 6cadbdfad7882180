import type { On } from '../call.ts';
import { isOurClient } from '../our-client.ts';
import type { HttpDeps } from '../ports.ts';
import { applyFleet } from './apply.ts';
import { deleteFleets, deleteInstances } from './delete.ts';
import { listFleetJobs } from './jobs.ts';
import { getFleetPlan } from './plan.ts';
import { getFleet, listFleets, listProjectFleets } from './service.ts';

export function fleetRoutes(on: On, deps: HttpDeps): void {
  on('fleets.list_all', ({ user, body }) => listFleets(deps, user, body));
  on('fleets.list', ({ project, body }) => listProjectFleets(deps, project, body.include_imported));
  on('fleets.get', ({ project, body, user, role }) =>
    getFleet(deps, project, body, { user, role }),
  );
  on('fleets.get_plan', (call) =>
    getFleetPlan(deps, call.project, call.user, call.body.spec, isOurClient(call)),
  );
  on('fleets.apply', (call) => {
    const { project, body, user, role } = call;
    return applyFleet(deps, project, body, { user, role, isOurs: isOurClient(call) });
  });
  on('fleets.list_jobs', ({ project, params, user }) =>
    listFleetJobs(deps, project, params.fleet_name ?? '', user),
  );
  on('fleets.delete', async ({ project, body, user }) => {
    await deleteFleets(deps, project, body.names, user);
    return null;
  });
  on('fleets.delete_instances', async ({ project, body, user }) => {
    await deleteInstances(deps, project, body, user);
    return null;
  });
}
