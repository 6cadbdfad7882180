/** Gateways that a project's services may use: its own, and those of its imports. */
import { notExists } from '@dstack/contract/api';
import { canBeDefault } from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

/** Throws `ApiError`, with the same text for a gateway that does not exist and one that is not imported. */
export async function usableGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  reference: { readonly name: string; readonly project: string | null },
): Promise<GatewayView> {
  const owner =
    reference.project === null ? project : await deps.store.projects.byName(reference.project);
  const view = owner && (await deps.store.gateways.byName(owner.id, reference.name));
  if (!view || !(await isUsable(deps, project, view))) {
    throw notExists(`Gateway '${reference.name}' does not exist`);
  }
  return view;
}

/** Null also if the default is not running, or belongs to a project whose export has ended. */
export async function usableDefault(
  deps: HttpDeps,
  project: ProjectRecord,
): Promise<GatewayView | null> {
  const id = project.defaultGatewayId;
  const view = id === null ? null : await deps.store.gateways.byId(id);
  if (view === null || !canBeDefault(view.gateway)) return null;
  return (await isUsable(deps, project, view)) ? view : null;
}

async function isUsable(
  deps: HttpDeps,
  project: ProjectRecord,
  { gateway }: GatewayView,
): Promise<boolean> {
  if (gateway.projectId === project.id) return true;
  return await deps.store.exports.isImported('gateway', gateway.id, [project.id]);
}
