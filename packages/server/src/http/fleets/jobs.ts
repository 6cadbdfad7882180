import { notExists } from '@dstack/contract/api';
import { type FleetJob, HIDDEN_RUN } from '@dstack/contract/wire';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

/** Runs of other projects, which import the fleet, are named to those who may see them only. */
export async function listFleetJobs(
  deps: HttpDeps,
  project: ProjectRecord,
  fleetName: string,
  user: UserRecord,
): Promise<FleetJob[]> {
  const { store } = deps;
  const view = await store.fleets.byName(project.id, fleetName);
  if (view === null) throw notExists(`Fleet ${fleetName} not found`);
  const holders = await store.engine.blockHolders(view.instances.map(({ id }) => id));
  const visible = await visibleProjects(deps, user);
  const projectIds = [...new Set(holders.map(({ run }) => run.projectId))];
  const names = new Map(
    (await store.projects.byIds(projectIds)).map(({ id, name, originalName }) => [
      id,
      originalName ?? name,
    ]),
  );
  return holders.map(({ instanceId, run, blocks }) => {
    const isVisible = visible === null || visible.includes(run.projectId);
    return {
      instance_id: instanceId,
      run_id: isVisible ? run.id : null,
      run_name: isVisible ? run.name : HIDDEN_RUN,
      project_name: isVisible ? (names.get(run.projectId) ?? null) : null,
      blocks,
    };
  });
}
