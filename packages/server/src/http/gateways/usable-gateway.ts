/** Gateways that a project's services may use: its own, and those of its imports. */
import { notExists, ruleError } from '@dstack/contract/api';
import { isGatewayRunning } from '@dstack/contract/status';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import { canBeDefault, type GatewayRecord } from '@dstack/core';
import type { GatewayView, ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

export interface GatewayReference {
  readonly name: string;
  /** The project that owns it; null = that of the service. */
  readonly project: string | null;
}

export function referenceOf(
  wanted: Exclude<ServiceConfiguration['gateway'], boolean | null>,
): GatewayReference {
  return typeof wanted === 'string' ? { project: null, name: wanted } : wanted;
}

/** Throws `ApiError`, with the same text for a gateway that does not exist and one that is not imported. */
export async function usableGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  reference: GatewayReference,
): Promise<GatewayView> {
  const view = await findUsable(deps, project, reference);
  if (view === null) throw notExists(`Gateway '${reference.name}' does not exist`);
  return view;
}

export async function findUsable(
  deps: HttpDeps,
  project: ProjectRecord,
  reference: GatewayReference,
): Promise<GatewayView | null> {
  const owner =
    reference.project === null ? project : await deps.store.projects.byName(reference.project);
  const view = owner && (await deps.store.gateways.byName(owner.id, reference.name));
  return view && (await isUsable(deps, project, view)) ? view : null;
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

/**
 * Why a service cannot have its address there; null = it can. `present`: the gateway that serves it
 * now.
 */
export function serviceRefusal(
  gateway: Pick<GatewayRecord, 'id' | 'name' | 'status' | 'toBeDeleted' | 'configuration'>,
  present: string | null,
): string | null {
  const { id, name, status, toBeDeleted, configuration } = gateway;
  if (toBeDeleted) return `Gateway '${name}' is being deleted: choose another \`gateway\``;
  if (!isGatewayRunning(status)) {
    return `Gateway '${name}' is ${status}; services can use it once it is running`;
  }
  if (!configuration.forbid_new_services || id === present) return null;
  return `Gateway '${name}' accepts no new services (\`forbid_new_services\`): choose another \`gateway\`, or ask an admin of its project for \`dstack gateway update ${name} --allow-new-services\``;
}

/** Throws `ApiError`. */
export function checkAcceptsService(...args: Parameters<typeof serviceRefusal>): void {
  const text = serviceRefusal(...args);
  if (text !== null) throw ruleError(text);
}

async function isUsable(
  deps: HttpDeps,
  project: ProjectRecord,
  { gateway }: GatewayView,
): Promise<boolean> {
  if (gateway.projectId === project.id) return true;
  return await deps.store.exports.isImported('gateway', gateway.id, [project.id]);
}
