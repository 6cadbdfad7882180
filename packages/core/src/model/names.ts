/** The closed vocabularies of the wire. */
export type {
  AttachmentStatus,
  FleetStatus,
  GatewayStatus,
  HealthStatus,
  InstanceStatus,
  InstanceTerminationReason,
  JobStatus,
  JobTerminationReason,
  RunStatus,
  RunTerminationReason,
  VolumeStatus,
} from '@dstack/contract/status';
