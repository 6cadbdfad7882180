import type { GatewayConfiguration } from '@dstack/contract/wire';
import { changedKeys } from '../compare/same.ts';

export interface GatewayDiff {
  readonly changed: readonly string[];
  readonly updatable: boolean;
}

const UPDATABLE = new Set([
  ...['domain', 'default', 'replicas', 'region', 'instance_type'],
  'forbid_new_services',
]);

/**
 * The differences between a gateway's configuration and a new one, and whether it can be updated in
 * place. A new one without `default` or `forbid_new_services` keeps the present value; no `replicas`
 * means one.
 */
export function diffGatewayConfigurations(
  before: GatewayConfiguration,
  after: GatewayConfiguration,
): GatewayDiff {
  const changed = changedKeys(comparable(before), {
    ...comparable(after),
    default: after.default ?? before.default,
    forbid_new_services: after.forbid_new_services ?? before.forbid_new_services ?? false,
  });
  // The rule of an Ingress names the domain.
  const isRouted = after.backend_settings?.kubernetes?.service === 'Ingress';
  const isUpdatable = (key: string) => UPDATABLE.has(key) && !(isRouted && key === 'domain');
  return { changed, updatable: changed.every(isUpdatable) };
}

function comparable(configuration: GatewayConfiguration): GatewayConfiguration {
  const { replicas, backend_settings, forbid_new_services } = configuration;
  return {
    ...configuration,
    replicas: replicas ?? 1,
    backend_settings: backend_settings ?? null,
    forbid_new_services: forbid_new_services ?? false,
  };
}
