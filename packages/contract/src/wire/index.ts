/** API models of dstack 0.22.5: a zod schema and a type of the same name each. */
export {
  type AutoscalingRule,
  DevEnvironmentConfiguration,
  FleetConfiguration,
  GatewayConfiguration,
  Profile,
  type PrometheusRule,
  QuotaConfiguration,
  type QuotaGpus,
  type QuotaGuarantee,
  type QuotaLimit,
  ResourcesSpec,
  ServiceConfiguration,
  TaskConfiguration,
  VolumeConfiguration,
} from '../configuration/index.ts';
export * from './access-record.ts';
export * from './backend.ts';
export * from './backend-check.ts';
export * from './backend-config.ts';
export * from './backend-config-clouds.ts';
export * from './backend-config-platforms.ts';
export * from './capacity-board.ts';
export * from './change.ts';
export * from './cost.ts';
export * from './event.ts';
export * from './event-actions.ts';
export type * from './event-data.ts';
export * from './explain.ts';
export * from './export.ts';
export * from './file.ts';
export * from './fleet.ts';
export * from './fleet-job.ts';
export * from './gateway.ts';
export * from './gateway-logs.ts';
export * from './instance.ts';
export * from './job.ts';
export * from './log.ts';
export * from './measured-use.ts';
export * from './metrics.ts';
export * from './metrics-history.ts';
export * from './model-usage.ts';
export * from './offer.ts';
export * from './orphan.ts';
export * from './overview.ts';
export * from './plan.ts';
export * from './project.ts';
export * from './queue.ts';
export * from './quota.ts';
export * from './quota-text.ts';
export * from './refusal.ts';
export * from './refusal-text.ts';
export * from './repo.ts';
export * from './run.ts';
export type { JsonObject } from './scalars.ts';
export * from './secret.ts';
export * from './server.ts';
export * from './server-status.ts';
export * from './server-usage.ts';
export * from './service-figures.ts';
export * from './service-token.ts';
export * from './service-traffic.ts';
export * from './session.ts';
export * from './share.ts';
export * from './timestamp.ts';
export * from './token-prefixes.ts';
export * from './user.ts';
export * from './version.ts';
export * from './volume.ts';
