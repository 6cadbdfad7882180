/** The plan of a gateway. */
import { ruleError } from '@dstack/contract/api';
import { isGatewayFailed } from '@dstack/contract/status';
import type { GatewayConfiguration, GatewayPlan, GatewaySpec } from '@dstack/contract/wire';
import { diffGatewayConfigurations, type GatewayRecord, prepareGateway } from '@dstack/core';
import type { GatewayView, ProjectRecord, UserRecord } from '@dstack/store';
import { wireGateway } from '../mapping/gateway.ts';
import type { HttpDeps } from '../ports.ts';
import { accepted } from '../spec-errors.ts';

export async function planGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  spec: GatewaySpec,
): Promise<GatewayPlan> {
  checkGateway(deps, spec.configuration);
  const current = await currentGateway(deps, project, spec.configuration);
  if (current !== null) checkUpdatable(current.gateway);
  const shown = current && wireGateway(current, project);
  const diff = shown && diffGatewayConfigurations(shown.configuration, spec.configuration);
  return {
    project_name: project.name,
    user: user.name,
    spec,
    effective_spec: { ...spec, configuration: effective(spec.configuration, shown) },
    current_resource: shown,
    action: diff?.updatable ? 'update' : 'create',
  };
}

export async function currentGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  { name }: GatewayConfiguration,
): Promise<GatewayView | null> {
  return name === null ? null : deps.store.gateways.byName(project.id, name);
}

/** Throws `ApiError`. */
export function checkGateway(deps: HttpDeps, configuration: GatewayConfiguration): void {
  accepted(prepareGateway(configuration, { maxReplicas: deps.settings.maxGatewayReplicas }));
}

/** Throws `ApiError`. */
export function checkNotLeaving(gateway: GatewayRecord): void {
  if (!gateway.toBeDeleted && !gateway.deleted) return;
  throw ruleError(`Gateway ${gateway.name} is being deleted. Try again later.`);
}

/** Throws `ApiError` if the gateway must be replaced. */
export function checkUpdatable(gateway: GatewayRecord): void {
  checkNotLeaving(gateway);
  if (!isGatewayFailed(gateway.status)) return;
  const why = gateway.statusMessage === null ? '' : ` (${gateway.statusMessage})`;
  throw ruleError(`Gateway ${gateway.name} has failed${why}. Delete it and re-apply.`);
}

/** A configuration without `default` does not change it. */
function effective(
  configuration: GatewayConfiguration,
  current: { readonly default: boolean } | null,
): GatewayConfiguration {
  return { ...configuration, default: configuration.default ?? current?.default ?? null };
}
