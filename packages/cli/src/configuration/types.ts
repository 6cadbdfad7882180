import type {
  DevEnvironmentConfiguration,
  FleetConfiguration,
  GatewayConfiguration,
  QuotaConfiguration,
  ServiceConfiguration,
  TaskConfiguration,
  VolumeConfiguration,
} from '@dstack/contract/wire';

export type ApplicableRun = TaskConfiguration | ServiceConfiguration | DevEnvironmentConfiguration;

/** The configurations that `dstack apply` accepts, distinguished by `type`. */
export type ApplicableConfiguration =
  | ApplicableRun
  | FleetConfiguration
  | (GatewayConfiguration & { readonly type: 'gateway' })
  | (VolumeConfiguration & { readonly type: 'volume' })
  | (QuotaConfiguration & { readonly type: 'quota' });

export const RUN_TYPES = ['dev-environment', 'task', 'service'] as const;
export const APPLY_TYPES = [...RUN_TYPES, 'fleet', 'gateway', 'volume', 'quota'] as const;

export function isRunConfiguration(value: { type: string }): value is ApplicableRun {
  return (RUN_TYPES as readonly string[]).includes(value.type);
}
