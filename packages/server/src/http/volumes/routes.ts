import { notExists } from '@dstack/contract/api';
import type { VolumeView } from '@dstack/store';
import type { On } from '../call.ts';
import { wireVolume } from '../mapping/volume.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';
import { createVolume, deleteVolumes } from './service.ts';

export function volumeRoutes(on: On, deps: HttpDeps): void {
  const { volumes } = deps.store;
  /** The answer shows what is known; the next one what is found now. */
  const shown = async (views: readonly VolumeView[]) => {
    const { now } = deps.context();
    await deps.volumeLooks.at(
      views.map(({ volume }) => volume),
      now,
    );
    return views.map((view) => wireVolume(view, now));
  };
  on('volumes.list_all', async ({ user, body }) => {
    const projectIds = await visibleProjects(deps, user, body.project_name);
    const page = pageOf(body.prev_created_at, body.prev_id, body);
    return await shown(await volumes.list({ projectIds, onlyActive: body.only_active, page }));
  });
  on('volumes.list', async ({ project }) => {
    return await shown(await volumes.list({ projectIds: [project.id], onlyActive: true }));
  });
  on('volumes.get', async ({ project, body }) => {
    const view = await volumes.byName(project.id, body.name);
    if (view === null) throw notExists(`Volume '${body.name}' not found`);
    const [volume] = await shown([view]);
    return volume ?? wireVolume(view, deps.context().now);
  });
  on('volumes.create', ({ project, body, user }) =>
    createVolume(deps, project, body.configuration, user),
  );
  on('volumes.delete', async ({ project, body, user }) => {
    await deleteVolumes(deps, project, body.names, user);
    return null;
  });
}
