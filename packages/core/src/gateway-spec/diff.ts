import type { GatewayConfiguration } from '@dstack/contract/wire';
import { changedKeys } from '../compare/same.ts';

export interface GatewayDiff {
  readonly changed: readonly string[];
  readonly updatable: boolean;
}

const UPDATABLE = new Set(['domain', 'default', 'replicas']);

/**
 * The differences between a gateway's configuration and a new one, and whether it can be updated in
 * place. A new one without `default` keeps the present value; no `replicas` means one.
 */
export function diffGatewayConfigurations(
  before: GatewayConfiguration,
  after: GatewayConfiguration,
): GatewayDiff {
  const changed = changedKeys(comparable(before), {
    ...comparable(after),
    default: after.default ?? before.default,
  });
  return { changed, updatable: changed.every((key) => UPDATABLE.has(key)) };
}

function comparable(configuration: GatewayConfiguration): GatewayConfiguration {
  return { ...configuration, replicas: configuration.replicas ?? 1 };
}
