/** Deletes gateways, sets the default of a project, and what older clients set separately. */
import {
  type DeleteGatewaysRequest,
  notExists,
  ruleError,
  type SetDefaultGatewayRequest,
} from '@dstack/contract/api';
import { isGatewayFailed } from '@dstack/contract/status';
import type { Gateway } from '@dstack/contract/wire';
import {
  canBeDefault,
  defaultGatewayEvent,
  gatewayTarget,
  gatewayUseText,
  recordEvent,
} from '@dstack/core';
import type { ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import { explainContext } from '../explain/service.ts';
import type { HttpDeps } from '../ports.ts';
import { checkGateway, checkNotLeaving } from './plan.ts';
import { shownGateway } from './service.ts';
import { usableGateway } from './usable-gateway.ts';

/**
 * Unknown names are ignored. Throws `ApiError` for a gateway that serves requests of services, unless
 * it is forced.
 */
export async function deleteGateways(
  deps: HttpDeps,
  project: ProjectRecord,
  { names, force }: DeleteGatewaysRequest,
  actor: UserRecord,
): Promise<void> {
  const { viewer } = await explainContext(deps, { user: actor });
  for (const name of new Set(names)) {
    const view = await deps.store.gateways.byName(project.id, name);
    if (view === null) continue;
    const { id } = view.gateway;
    await deps.store.engine.endGateway(id, ({ gateway, services, projectNames }) => {
      if (gateway.toBeDeleted || gateway.deleted) return null;
      const isProtected = !force && !isGatewayFailed(gateway.status);
      const use = !isProtected ? null : gatewayUseText(gateway, services, { projectNames, viewer });
      if (use !== null) throw ruleError(use);
      const event = recordEvent({
        action: 'gateway.deletion_requested',
        ...{ targets: [gatewayTarget(gateway)], actor: actorOf(actor) },
      });
      const set = { toBeDeleted: true, nextPassAt: deps.context().now };
      return {
        changes: [
          { type: 'gateway.update', id, version: gateway.version, set },
          { type: 'event', event },
        ],
        signals: [{ kind: 'gateway', id }],
      };
    });
  }
}

/** Own or imported. */
export async function setDefaultGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  request: SetDefaultGatewayRequest,
  actor: UserRecord,
): Promise<void> {
  const { name, gateway_project } = request;
  const { gateway } = await usableGateway(deps, project, { name, project: gateway_project });
  checkNotLeaving(gateway);
  if (!canBeDefault(gateway)) {
    throw ruleError(
      `Gateway ${gateway.name} is ${gateway.status}: only a running gateway can be the default`,
    );
  }
  const { id } = gateway;
  if (project.defaultGatewayId === id) return;
  const event = defaultGatewayEvent(gateway, project, { to: id, actor: actorOf(actor) });
  await deps.store.projects.update(project.id, { defaultGatewayId: id }, { events: [event] });
}

export async function setWildcardDomain(
  deps: HttpDeps,
  project: ProjectRecord,
  request: { readonly name: string; readonly wildcard_domain: string },
  actor: UserRecord,
): Promise<Gateway> {
  const view = await deps.store.gateways.byName(project.id, request.name);
  if (view === null) throw notExists(`Gateway '${request.name}' does not exist`);
  const { id } = view.gateway;
  const domain = request.wildcard_domain;
  const changed = { ...view.gateway.configuration, domain };
  await checkGateway(deps, { project, user: actor, current: view }, changed);
  await deps.store.engine.updateGateway(id, ({ gateway }) => {
    checkNotLeaving(gateway);
    if (gateway.wildcardDomain === domain) return null;
    const event = recordEvent({
      action: 'gateway.domain_changed',
      data: { from: gateway.wildcardDomain, to: domain },
      ...{ targets: [gatewayTarget(gateway)], actor: actorOf(actor) },
    });
    const configuration = { ...gateway.configuration, domain };
    return {
      changes: [
        {
          type: 'gateway.update',
          id,
          version: gateway.version,
          set: { wildcardDomain: domain, configuration },
        },
        { type: 'event', event },
      ],
    };
  });
  return await shownGateway(deps, project, id);
}
