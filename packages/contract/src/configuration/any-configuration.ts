import type * as z from 'zod';
import { DevEnvironmentConfiguration } from './dev-environment.ts';
import { FleetConfiguration } from './fleet.ts';
import { GatewayConfiguration } from './gateway.ts';
import { PresetConfiguration } from './preset.ts';
import { QuotaConfiguration } from './quota.ts';
import { tagged } from './schema-kit.ts';
import { ServiceConfiguration } from './service.ts';
import { TaskConfiguration } from './task.ts';
import { VolumeConfiguration } from './volume.ts';

/** The configurations that become a run. */
export const RunConfiguration = tagged('type', {
  'dev-environment': DevEnvironmentConfiguration,
  task: TaskConfiguration,
  service: ServiceConfiguration,
});
export type RunConfiguration = z.infer<typeof RunConfiguration>;

/** Every document that can be applied. */
export const AnyConfiguration = tagged('type', {
  'dev-environment': DevEnvironmentConfiguration,
  task: TaskConfiguration,
  service: ServiceConfiguration,
  fleet: FleetConfiguration,
  gateway: GatewayConfiguration,
  volume: VolumeConfiguration,
  preset: PresetConfiguration,
  quota: QuotaConfiguration,
});
export type AnyConfiguration = z.infer<typeof AnyConfiguration>;
