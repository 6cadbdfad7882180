/** The state of the caller's projects in one answer, cheap enough to be requested after each change. */
import type { Overview } from '@dstack/contract/wire';
import type { UserRecord } from '@dstack/store';
import { mapInTurns } from '../in-turns.ts';
import { wireRun } from '../mapping/run.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { gpuUse, instanceUse } from './capacity-use.ts';

const FAILURES = 8;

export async function overview(
  deps: HttpDeps,
  caller: UserRecord,
  projectName: string | null,
): Promise<Overview> {
  const { store } = deps;
  const projectIds = await visibleProjects(deps, caller, projectName);
  const [counts, failed, views, [fleet], [run]] = await Promise.all([
    store.runs.activeCounts(projectIds),
    store.runs.list({
      projectIds,
      onlyFailed: true,
      includeJobs: true,
      submissionsLimit: 1,
      page: { limit: FAILURES },
    }),
    store.instances.list({ projectIds, onlyActive: true }),
    store.fleets.list({ projectIds, includeImported: true, onlyActive: true, page: { limit: 1 } }),
    store.runs.list({ projectIds, page: { limit: 1 } }),
  ]);
  const { now } = deps.context();
  const { sshEntry: entry, serviceOrigins: origins } = deps.settings;
  const instances = views.map(({ instance }) => instance);
  return {
    runs: [...counts],
    instances: instanceUse(instances),
    gpus: gpuUse(instances),
    failures: await mapInTurns(failed, (view) =>
      wireRun(view, { now, entry, origins, submissions: true }),
    ),
    has_fleets: fleet !== undefined,
    has_runs: run !== undefined,
  };
}
