import { notExists } from '@dstack/contract/api';
import { customUrls } from '@dstack/contract/custom-urls';
import type { Gateway, GatewayServiceInfo, ProjectRole } from '@dstack/contract/wire';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { notMember } from '../../callers/rights.ts';
import { wireGateway } from '../mapping/gateway.ts';
import type { HttpDeps } from '../ports.ts';
import { visibleProjects } from '../visible-projects.ts';

export async function listGateways(
  deps: HttpDeps,
  project: ProjectRecord,
  includeImported: boolean,
): Promise<Gateway[]> {
  const found = await deps.store.gateways.list(project.id, { includeImported });
  return found.map((view) => wireGateway(view, project));
}

/**
 * Visible to members, to every user if the project is public, and to members of importing projects.
 * To others the gateway does not exist.
 */
export async function getGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  name: string,
  caller: { readonly user: UserRecord; readonly role: ProjectRole | null },
): Promise<Gateway> {
  const view = await deps.store.gateways.byName(project.id, name);
  if (caller.role === null && !project.isPublic) {
    const projectIds = await deps.store.projects.idsOfMember(caller.user.id);
    const isImported =
      view !== null &&
      (await deps.store.exports.isImported('gateway', view.gateway.id, projectIds));
    if (!isImported) throw notMember(project);
  }
  if (view === null) throw notExists(`Gateway '${name}' not found`);
  const services = await visibleServices(deps, view.gateway.id, caller.user);
  return { ...wireGateway(view, project), services };
}

async function visibleServices(
  deps: HttpDeps,
  gatewayId: string,
  user: UserRecord,
): Promise<GatewayServiceInfo[]> {
  const ids = await visibleProjects(deps, user);
  const runs = await deps.store.runs.onGateway(gatewayId);
  const visible = runs.filter(({ projectId }) => ids === null || ids.includes(projectId));
  const projects = await deps.store.projects.byIds(visible.map(({ projectId }) => projectId));
  const names = new Map(projects.map(({ id, name }) => [id, name]));
  return visible.map(({ name, projectId, serviceSpec }) => ({
    ...{ project_name: names.get(projectId) ?? '', run_name: name },
    urls: serviceSpec === null ? [] : [serviceSpec.url, ...customUrls(serviceSpec)],
  }));
}

export async function shownGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  id: string,
): Promise<Gateway> {
  // Reads the gateway again: the change may have made it the default.
  const [view, viewer] = await Promise.all([
    deps.store.gateways.byId(id),
    deps.store.projects.byId(project.id),
  ]);
  if (view === null) throw notExists('Gateway not found');
  return wireGateway(view, viewer ?? project);
}
