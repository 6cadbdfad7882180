/** The closed vocabularies of the wire. */
export type {
  AttachmentStatus,
  FleetStatus,
  GatewayStatus,
  GroupStatus,
  HealthStatus,
  InstanceStatus,
  InstanceTerminationReason,
  JobStatus,
  JobTerminationReason,
  RunStatus,
  RunTerminationReason,
  VolumeStatus,
} from '@dstack/contract/status';
