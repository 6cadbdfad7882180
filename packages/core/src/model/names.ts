/** The closed vocabularies of the wire. */
export type {
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
} from '@dstack/contract/wire';

/** Ours: the wire shows attachments without a status. */
export type AttachmentStatus = 'attaching' | 'attached' | 'failed' | 'detaching';
