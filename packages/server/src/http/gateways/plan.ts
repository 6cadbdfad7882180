/** The plan of a gateway. */
import { accessDenied, ruleError } from '@dstack/contract/api';
import { isGatewayFailed, isSshHost } from '@dstack/contract/status';
import type { GatewayConfiguration, GatewayPlan, GatewaySpec } from '@dstack/contract/wire';
import {
  diffGatewayConfigurations,
  fixedDomain,
  type GatewayRecord,
  gatewayBackend,
  isServerHost,
  prepareGateway,
  SSH_HOST_BACKEND,
} from '@dstack/core';
import type { GatewayView, ProjectRecord, UserRecord } from '@dstack/store';
import { domainProof } from '../../gateways/domain-proof.ts';
import { wireGateway } from '../mapping/gateway.ts';
import type { HttpDeps } from '../ports.ts';
import { accepted } from '../spec-errors.ts';
import { domainProblem } from './own-names.ts';

export async function planGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  user: UserRecord,
  given: GatewaySpec,
  client: ClientOfGateways,
): Promise<GatewayPlan> {
  const current = await currentGateway(deps, project, given.configuration);
  const spec = { ...given, configuration: withOurKeys(given.configuration, current, client) };
  await checkGateway(deps, { project, user, current }, spec.configuration);
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

export interface ClientOfGateways {
  /** Whether it can send the keys that dstack 0.22.5 does not have. */
  readonly isOurs: boolean;
}

/**
 * A client that has no such keys keeps the stored ones. One that has them keeps
 * `forbid_new_services` too, if it leaves that out.
 */
export function withOurKeys(
  configuration: GatewayConfiguration,
  current: { readonly gateway: Pick<GatewayRecord, 'configuration'> } | null,
  { isOurs }: ClientOfGateways,
): GatewayConfiguration {
  const { backend_settings: settings, forbid_new_services: forbidden } =
    current?.gateway.configuration ?? {};
  const forbid_new_services = configuration.forbid_new_services ?? forbidden;
  return {
    ...configuration,
    ...(forbid_new_services != null && { forbid_new_services }),
    ...(!isOurs && settings != null && { backend_settings: settings }),
  };
}

export async function currentGateway(
  deps: HttpDeps,
  project: ProjectRecord,
  { name }: GatewayConfiguration,
): Promise<GatewayView | null> {
  return name === null ? null : deps.store.gateways.byName(project.id, name);
}

export interface GatewayChange {
  readonly project: ProjectRecord;
  readonly user: UserRecord;
  /** Null: it is created. */
  readonly current: GatewayView | null;
}

/** Throws `ApiError`. */
export async function checkGateway(
  deps: HttpDeps,
  { project, user, current }: GatewayChange,
  configuration: GatewayConfiguration,
): Promise<void> {
  const { maxGatewayReplicas: maxReplicas, acmeChallenge: challenge } = deps.settings;
  accepted(prepareGateway(configuration, { maxReplicas, challenge }));
  await checkDomain(deps, project, configuration, current?.gateway ?? null);
  const backend = gatewayBackend(configuration);
  if (isServerHost(backend)) checkServerHost(user, configuration);
  else if (backend === SSH_HOST_BACKEND) await checkFleet(deps, project, configuration);
  const found = await deps.backends.find(project.id, backend);
  if (found?.gateways) {
    if (configuration.load_balancer === null || found.gateways.hasBalancers) return;
    throw ruleError(
      `This server makes no load balancers in backend ${backend} yet: leave \`load_balancer\` out, and each replica has an address of its own`,
    );
  }
  if (isServerHost(backend)) {
    throw ruleError("The server's machine runs no agent of this server, so it cannot be a gateway");
  }
  // One that is not configured fails with that reason, and can be replaced later.
  if (found) throw ruleError(`This server cannot create gateways in backend ${backend}`);
}

/** Names of the server stay its own, and the DNS hook serves proven domains only. Throws `ApiError`. */
async function checkDomain(
  deps: HttpDeps,
  project: ProjectRecord,
  { domain, certificate, name }: GatewayConfiguration,
  current: GatewayRecord | null,
): Promise<void> {
  const fixed = fixedDomain(domain);
  // A gateway may keep the domain that it has; the hook decides about it at each renewal.
  if (fixed === '' || fixed === fixedDomain(current?.wildcardDomain ?? null)) return;
  const problem = domainProblem(deps.settings, fixed);
  if (problem !== null) throw ruleError(problem);
  const { acmeChallenge, gatewayDomains: domains } = deps.settings;
  if (acmeChallenge !== 'dns-01' || certificate?.type !== 'lets-encrypt') return;
  const parts = { domains, readTxt: deps.readTxt, gateways: deps.store.gateways };
  const proof = await domainProof(parts, project, { id: null, wildcardDomain: domain }, fixed);
  if (proof.kind !== 'proven') throw ruleError(`Gateway ${name ?? ''}: ${proof.text}`);
}

/** Requests from outside would reach the server's machine. Throws `ApiError`. */
function checkServerHost(
  { globalRole }: UserRecord,
  { replicas, instance_type }: GatewayConfiguration,
) {
  if (globalRole !== 'admin') {
    throw accessDenied("Only a global admin can make the server's machine a gateway");
  }
  if ((replicas ?? 1) > 1) throw ruleError("The server's machine can be one replica only");
  if (instance_type !== null) throw ruleError('`instance_type` names a host of a fleet; remove it');
}

/** Throws `ApiError`. */
async function checkFleet(
  { store }: HttpDeps,
  project: ProjectRecord,
  { region, replicas }: GatewayConfiguration,
): Promise<void> {
  const fleet = await store.fleets.byName(project.id, region);
  if (!fleet) {
    throw ruleError(
      `\`region\` is ${region}, but project ${project.name} has no fleet of that name. For SSH hosts it is the name of their fleet, or \`local\` for the server's machine`,
    );
  }
  const hosts = fleet.instances.filter(({ backend }) => isSshHost(backend));
  if (hosts.length < (replicas ?? 1)) {
    throw ruleError(
      `Fleet ${region} has ${hosts.length} SSH hosts; a gateway of ${replicas ?? 1} replicas needs as many`,
    );
  }
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
