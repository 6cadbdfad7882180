import type { Store } from '@dstack/store';
import type { ReadServiceState } from './outages.ts';

/** Reads services from the database. */
export function serviceStateReader(store: Pick<Store, 'projects' | 'runs'>): ReadServiceState {
  return async (projectName, runName) => {
    const project = await store.projects.byName(projectName);
    const view = project && (await store.runs.byName(project.id, runName));
    if (!view) return null;
    const { run, jobs } = view;
    const isServedHere = run.serviceSpec !== null && run.gatewayId === null;
    return isServedHere ? { run, jobs, projectName: project.name, runName: run.name } : null;
  };
}
