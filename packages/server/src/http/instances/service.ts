import {
  type GetInstanceHealthChecksRequest,
  type ListInstancesRequest,
  notExists,
} from '@dstack/contract/api';
import {
  formatTimestamp,
  HealthCheck,
  HealthEvent,
  type Instance,
  type ProjectRole,
} from '@dstack/contract/wire';
import type { HealthCheckRecord, ProjectRecord, UserRecord } from '@dstack/store';
import { notMember } from '../../callers/rights.ts';
import { mapInTurns } from '../in-turns.ts';
import { wireInstance } from '../mapping/instance.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

export async function listInstances(
  deps: HttpDeps,
  caller: UserRecord,
  request: ListInstancesRequest,
): Promise<Instance[]> {
  const found = await deps.store.instances.list({
    projectIds: await listedProjects(deps, caller, request.project_names),
    fleetIds: request.fleet_ids,
    includeImported: request.include_imported,
    onlyActive: request.only_active,
    page: pageOf(request.prev_created_at, request.prev_id, request),
  });
  return await mapInTurns(found, (view) => wireInstance(view.instance, view));
}

async function listedProjects(
  deps: HttpDeps,
  caller: UserRecord,
  names: readonly string[] | null,
): Promise<readonly string[] | null> {
  const visible = await visibleProjects(deps, caller);
  if (names === null) return visible;
  const named = (await deps.store.projects.byNames(names)).map((project) => project.id);
  return visible === null ? named : named.filter((id) => visible.includes(id));
}

/** Visible to members and to members of projects that import its fleet. */
export async function getInstance(
  deps: HttpDeps,
  project: ProjectRecord,
  id: string,
  caller: { readonly user: UserRecord; readonly role: ProjectRole | null },
): Promise<Instance> {
  const view = await deps.store.instances.byId(id);
  const found = view?.instance.projectId === project.id ? view : null;
  if (caller.role === null) {
    const projectIds = await deps.store.projects.idsOfMember(caller.user.id);
    const isImported =
      found !== null &&
      (await deps.store.exports.isImported('fleet', found.instance.fleetId, projectIds));
    if (!isImported) throw notMember(project);
  }
  if (found === null) throw notExists('Instance not found');
  return wireInstance(found.instance, found);
}

export async function healthChecks(
  deps: HttpDeps,
  project: ProjectRecord,
  request: GetInstanceHealthChecksRequest,
): Promise<HealthCheck[]> {
  const fleet = await deps.store.fleets.byName(project.id, request.fleet_name);
  const instance =
    fleet && (await deps.store.instances.byNum(fleet.fleet.id, request.instance_num));
  if (!instance) throw notExists('Instance not found');
  const { after, before, limit } = request;
  const checks = await deps.store.instances.healthChecks(instance.id, { after, before, limit });
  return checks.map(wireHealthCheck);
}

/** The host's own messages, as events; the status was decided when it was stored. */
function wireHealthCheck(check: HealthCheckRecord): HealthCheck {
  const events = HealthCheck.shape.events.safeParse(eventsOf(check.response));
  return {
    collected_at: formatTimestamp(check.collectedAt),
    status: check.status,
    events: events.success ? events.data : [],
  };
}

function eventsOf(response: string): unknown {
  const parsed = JSON.parse(response);
  const list = Array.isArray(parsed?.events) ? parsed.events : [];
  return list.filter((event: unknown) => HealthEvent.safeParse(event).success);
}
