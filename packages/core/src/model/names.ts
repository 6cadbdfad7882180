/** The closed vocabularies of the wire. */
export type {
  FleetStatus,
  GatewayStatus,
  InstanceStatus,
  InstanceTerminationReason,
  JobStatus,
  JobTerminationReason,
  RunStatus,
  RunTerminationReason,
  VolumeStatus,
} from '@dstack/contract/status';
export type { HealthStatus } from '@dstack/contract/wire';
