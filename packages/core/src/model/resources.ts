/** Records of gateways, and their snapshots. */
import type { BackendType, GatewayConfiguration, GatewayStatus } from '@dstack/contract/wire';
import type { Id, Timestamp } from './values.ts';

export interface GatewayRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly name: string;
  readonly backend: BackendType;
  readonly region: string;
  readonly configuration: GatewayConfiguration;
  readonly status: GatewayStatus;
  readonly statusMessage: string | null;
  readonly wildcardDomain: string | null;
  /** Of the load balancer, if there is one. */
  readonly hostname: string | null;
  /** Data of the adapter about the load balancer. */
  readonly backendData: string | null;
  readonly scaleOutAttempt: number;
  readonly createdAt: Timestamp;
  readonly lastProcessedAt: Timestamp;
  readonly toBeDeleted: boolean;
  readonly deleted: boolean;
  readonly nextPassAt: Timestamp | null;
  readonly version: number;
}

export interface GatewaySnapshot {
  readonly gateway: GatewayRecord;
  readonly projectName: string;
  readonly backendConfigured: boolean;
  /** Projects whose default it is: its own, or projects that import it. */
  readonly defaultOf: readonly ProjectOfGateway[];
  /** Id of the default gateway of its own project, this one or another. */
  readonly projectDefaultId: Id | null;
}

export interface ProjectOfGateway {
  readonly id: Id;
  readonly name: string;
}
