/** Fleets as callers may see them. */
import {
  type GetFleetRequest,
  type ListFleetsRequest,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import type { Fleet, ProjectRole } from '@dstack/contract/wire';
import type { FleetView, ProjectRecord, UserRecord } from '@dstack/store';
import { notMember } from '../../callers/rights.ts';
import { mapInTurns } from '../in-turns.ts';
import { wireFleet } from '../mapping/fleet.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

export async function listFleets(
  deps: HttpDeps,
  caller: UserRecord,
  request: ListFleetsRequest,
): Promise<Fleet[]> {
  const found = await deps.store.fleets.list({
    projectIds: await visibleProjects(deps, caller, request.project_name),
    includeImported: request.include_imported,
    onlyActive: request.only_active,
    page: pageOf(request.prev_created_at, request.prev_id, request),
  });
  const { now } = deps.context();
  return await mapInTurns(found, (view) => wireFleet(view, now));
}

export async function listProjectFleets(
  deps: HttpDeps,
  project: ProjectRecord,
  includeImported: boolean,
): Promise<Fleet[]> {
  const found = await deps.store.fleets.list({
    projectIds: [project.id],
    includeImported,
    onlyActive: true,
  });
  const { now } = deps.context();
  return await mapInTurns(found, (view) => wireFleet(view, now));
}

/**
 * By id also deleted ones. Visible to members and to members of importing projects; to others the
 * fleet does not exist.
 */
export async function getFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  request: GetFleetRequest,
  caller: { readonly user: UserRecord; readonly role: ProjectRole | null },
): Promise<Fleet> {
  const view = await findFleet(deps, project, request);
  if (caller.role === null) {
    const projectIds = await deps.store.projects.idsOfMember(caller.user.id);
    const isImported =
      view !== null && (await deps.store.exports.isImported('fleet', view.fleet.id, projectIds));
    if (!isImported) throw notMember(project);
  }
  if (request.name === null && request.id === null) throw ruleError('name or id must be specified');
  if (view === null) throw notExists('Fleet not found');
  return wireFleet(view, deps.context().now);
}

async function findFleet(
  deps: HttpDeps,
  project: ProjectRecord,
  request: GetFleetRequest,
): Promise<FleetView | null> {
  if (request.id !== null) {
    const view = await deps.store.fleets.byId(request.id);
    return view?.fleet.projectId === project.id ? view : null;
  }
  return request.name === null ? null : deps.store.fleets.byName(project.id, request.name);
}
