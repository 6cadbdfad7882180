/** Records of gateways, and their snapshots. */
import type {
  BackendType,
  GatewayConfiguration,
  GatewayReplicaStatus,
  GatewayStatus,
} from '@dstack/contract/wire';
import type { IntentRecord } from './intents.ts';
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
  /** Host name of the load balancer; null = there is none. */
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

export interface GatewayReplicaRecord {
  readonly id: Id;
  readonly gatewayId: Id;
  readonly replicaNum: number;
  readonly status: GatewayReplicaStatus;
  readonly statusMessage: string | null;
  readonly backend: BackendType | null;
  readonly region: string | null;
  /** The handle of its machine: the id at its backend, and the adapter's data. */
  readonly instanceId: string | null;
  readonly backendData: string | null;
  /** Address for clients. */
  readonly hostname: string | null;
  readonly sshPublicKey: string;
  /** It is one too many, and will be ended. */
  readonly scaleIn: boolean;
  /** Attempts of the present step. */
  readonly attempt: number;
  readonly appUpdatedAt: Timestamp | null;
  readonly createdAt: Timestamp;
  readonly lastProcessedAt: Timestamp;
  readonly deleted: boolean;
  readonly nextPassAt: Timestamp | null;
  readonly version: number;
}

/** One certificate of a gateway, as its program reports it. */
export interface GatewayCertificateState {
  readonly domain: string;
  /** `acme`: issued for the gateway; `file`: set by a person. */
  readonly source: 'acme' | 'file';
  readonly state: 'valid' | 'pending' | 'failed' | 'expired';
  readonly expiresAt: Timestamp | null;
  readonly renewsAt: Timestamp | null;
  /** It is valid, but its end is near, and there is no other one. Missing in earlier reports. */
  readonly endsSoon?: boolean;
  /** Why it could not be issued or renewed, and what to do. */
  readonly message: string | null;
}

/** The last report about a gateway replica. It raises no version of the replica. */
export interface GatewayReport {
  readonly replicaId: Id;
  /**
   * `ready`: its program serves requests. `waiting`: not yet, or not reachable now. `refused`: it never
   * can (nginx is missing, a port is taken). `lost`: its machine does not exist any more.
   */
  readonly state: 'ready' | 'waiting' | 'refused' | 'lost';
  readonly text: string | null;
  readonly hostname: string | null;
  /** Version of its program. */
  readonly version: string | null;
  readonly certificates: readonly GatewayCertificateState[];
  /** Why another replica must take its place, such as a newer version of the server; null = it stays. */
  readonly outdated: string | null;
  readonly updatedAt: Timestamp;
}

export interface GatewaySnapshot {
  readonly gateway: GatewayRecord;
  /** All that have not been deleted, oldest first. */
  readonly replicas: readonly GatewayReplicaRecord[];
  readonly reports: readonly GatewayReport[];
  /** The intents whose subject is one of the replicas. */
  readonly intents: readonly IntentRecord[];
  readonly projectName: string;
  readonly backendConfigured: boolean;
  /** Projects whose default it is: its own, or projects that import it. */
  readonly defaultOf: readonly ProjectOfGateway[];
  /** Id of the default gateway of its own project, this one or another. */
  readonly projectDefaultId: Id | null;
  /** Since when a host of its fleet has had room for another replica; null = none is known to have. */
  readonly roomSince: Timestamp | null;
  /** Other gateways that lack replicas, and whose hosts are of the same fleet. */
  readonly waitingGatewayIds: readonly Id[];
}

export interface ProjectOfGateway {
  readonly id: Id;
  readonly name: string;
}
