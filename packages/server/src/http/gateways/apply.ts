/** Creates a gateway, or changes the one of its name in place. */
import { type ApplyGatewayPlanRequest, alreadyExists, ruleError } from '@dstack/contract/api';
import type { Gateway, GatewayConfiguration } from '@dstack/contract/wire';
import {
  type Change,
  canBeDefault,
  defaultGatewayChanges,
  diffGatewayConfigurations,
  fieldChanges,
  type GatewayRecord,
  type GatewaySnapshot,
  gatewayTarget,
  recordEvent,
} from '@dstack/core';
import type { NewGateway, ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';
import { randomName } from '../random-name.ts';
import {
  type ClientOfGateways,
  checkGateway,
  checkUpdatable,
  currentGateway,
  withOurKeys,
} from './plan.ts';
import { shownGateway } from './service.ts';

const CHANGED = 'Failed to apply plan. Resource has been changed. Try again or use force apply.';

export async function applyGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  request: ApplyGatewayPlanRequest,
  user: UserRecord,
  client: ClientOfGateways,
): Promise<Gateway> {
  const { configuration: given } = request.plan.spec;
  const current = await currentGateway(deps, project, given);
  const configuration = withOurKeys(given, current, client);
  await checkGateway(deps, { project, user, current }, configuration);
  if (current === null) return await insertGateway(deps, project, configuration, user, CHANGED);
  const { id } = current.gateway;
  await deps.store.engine.updateGateway(id, (snapshot) => ({
    changes: updateChanges(snapshot, request, { user, client }),
    signals: [{ kind: 'gateway', id }],
  }));
  return await shownGateway(deps, project, id);
}

/** The call of older clients, which have no plan. */
export async function createGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: GatewayConfiguration,
  user: UserRecord,
): Promise<Gateway> {
  await checkGateway(deps, { project, user, current: null }, configuration);
  return await insertGateway(deps, project, configuration, user, null);
}

/** `taken`: the error if the name is taken; null = that it exists. */
async function insertGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: GatewayConfiguration,
  user: UserRecord,
  taken: string | null,
): Promise<Gateway> {
  const { name } = configuration;
  const outcome = await deps.store.gateways.insert(
    project.id,
    name === null ? { propose: randomName } : { exact: name },
    (certain) => newGateway(deps, project, { ...configuration, name: certain }, user),
  );
  if (outcome.type === 'created') return await shownGateway(deps, project, outcome.gateway.id);
  throw taken === null ? alreadyExists(`Gateway '${name}' exists already`) : ruleError(taken);
}

/** It can become the default of its project only when it runs (`defaultOnRunning`). */
function newGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  configuration: GatewayConfiguration,
  user: UserRecord,
): NewGateway {
  const { now, newId } = deps.context();
  const gateway: GatewayRecord = {
    id: newId(),
    projectId: project.id,
    name: configuration.name ?? '',
    backend: configuration.backend,
    region: configuration.region,
    configuration,
    status: 'submitted',
    statusMessage: null,
    wildcardDomain: configuration.domain,
    hostname: null,
    backendData: null,
    scaleOutAttempt: 0,
    createdAt: now,
    lastProcessedAt: now,
    toBeDeleted: false,
    deleted: false,
    nextPassAt: now,
    version: 0,
  };
  const created = recordEvent({
    action: 'gateway.created',
    data: { status: gateway.status },
    ...{ targets: [gatewayTarget(gateway)], actor: actorOf(user) },
  });
  return {
    gateway,
    events: [created],
    signals: [{ kind: 'gateway', id: gateway.id }],
  };
}

function updateChanges(
  snapshot: GatewaySnapshot,
  { plan, force }: ApplyGatewayPlanRequest,
  { user, client }: { readonly user: UserRecord; readonly client: ClientOfGateways },
): Change[] {
  const { gateway } = snapshot;
  checkUpdatable(gateway);
  const isDefault = snapshot.projectDefaultId === gateway.id && canBeDefault(gateway);
  const stored = withDefault(gateway.configuration, isDefault);
  const seen = plan.current_resource;
  const given = seen && withOurKeys(seen.configuration, snapshot, client);
  const isCurrent =
    seen?.id === gateway.id && given !== null && differences(given, stored).length === 0;
  if (!force && !isCurrent) throw ruleError(CHANGED);
  const wanted = withOurKeys(plan.spec.configuration, snapshot, client);
  const { changed, updatable } = diffGatewayConfigurations(stored, wanted);
  if (!updatable) {
    throw ruleError(
      `Gateway ${gateway.name} cannot be updated in-place. Delete it and re-apply. Changed fields: ${changed.join(', ')}`,
    );
  }
  if (changed.length === 0) return [];
  const event = recordEvent({
    action: 'gateway.updated',
    data: { fields: changed, changes: fieldChanges(changed, stored, wanted) },
    ...{ targets: [gatewayTarget(gateway)], actor: actorOf(user) },
  });
  const kept = { ...wanted, default: wanted.default ?? gateway.configuration.default };
  return [
    {
      type: 'gateway.update',
      id: gateway.id,
      version: gateway.version,
      // 0: replicas are checked again at once, whatever failed before.
      set: {
        ...{ configuration: kept, wildcardDomain: wanted.domain, scaleOutAttempt: 0 },
        // Replicas elsewhere are replaced one after another.
        region: wanted.region,
      },
    },
    { type: 'event', event },
    ...(changed.includes('default') ? defaultChanges(snapshot, wanted.default, user) : []),
  ];
}

/** A gateway that does not run yet only stores the setting, which takes effect when it runs. */
function defaultChanges(
  { gateway, projectName, projectDefaultId }: GatewaySnapshot,
  wanted: boolean | null,
  user: UserRecord,
): Change[] {
  if (!canBeDefault(gateway)) return [];
  const project = { id: gateway.projectId, name: projectName };
  const to = wanted ? gateway.id : null;
  return defaultGatewayChanges(gateway, project, {
    from: projectDefaultId,
    to,
    actor: actorOf(user),
  });
}

/** The shown form: `default` is the present state. */
function withDefault(configuration: GatewayConfiguration, isDefault: boolean) {
  return { ...configuration, default: isDefault };
}

function differences(a: GatewayConfiguration, b: GatewayConfiguration): readonly string[] {
  return diffGatewayConfigurations(a, b).changed;
}
