/** Records of exports and of services on gateways, as the other packages see them. */
import type { Id, Timestamp } from '@dstack/core';

export interface ExportRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly name: string;
  /** Imported by every present and future project. */
  readonly isGlobal: boolean;
  readonly createdAt: Timestamp;
}

/** Whether a gateway replica has registered a service (`jobId` null) or one of its replicas. */
export interface ServiceRegistrationRecord {
  readonly runId: Id;
  /** Null: the service itself. */
  readonly jobId: Id | null;
  readonly gatewayReplicaId: Id;
  readonly registered: boolean;
  readonly registerAttempt: number;
  readonly registerMessage: string | null;
  readonly unregisterAttempt: number;
  readonly unregisterMessage: string | null;
}
