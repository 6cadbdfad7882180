import type { BackendType, GatewayReplicaStatus } from '@dstack/contract/wire';
import type { GatewayRecord, Id, Timestamp } from '@dstack/core';
import type { NameChoice, Updated, WriteExtras } from '../writes.ts';

export type { GatewayRecord };

export interface GatewayReplicaRecord {
  readonly id: Id;
  readonly gatewayId: Id;
  readonly replicaNum: number;
  readonly status: GatewayReplicaStatus;
  readonly statusMessage: string | null;
  readonly backend: BackendType | null;
  readonly region: string | null;
  readonly instanceId: string | null;
  readonly hostname: string | null;
  readonly backendData: string | null;
  readonly sshPublicKey: string;
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

export type NewGatewayReplica = GatewayReplicaRecord & { readonly sshPrivateKey: string };

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

export interface GatewayView {
  readonly gateway: GatewayRecord;
  readonly projectName: string;
  /** The newest record per `replicaNum`, by `replicaNum`. */
  readonly replicas: readonly GatewayReplicaRecord[];
}

export interface NewGateway extends WriteExtras {
  readonly gateway: GatewayRecord;
}

export interface Gateways {
  /** Not deleted; imported ones on demand. */
  list(projectId: Id, options?: { readonly includeImported?: boolean }): Promise<GatewayView[]>;
  byId(id: Id): Promise<GatewayView | null>;
  /** Also deleted ones, in no order. */
  viewsByIds(ids: readonly Id[]): Promise<GatewayView[]>;
  /** Not deleted. */
  byName(projectId: Id, name: string): Promise<GatewayView | null>;
  insert(
    projectId: Id,
    name: NameChoice,
    build: (name: string) => NewGateway,
  ): Promise<
    { readonly type: 'created'; readonly gateway: GatewayRecord } | { readonly type: 'name-taken' }
  >;
  update(
    id: Id,
    version: number,
    set: Partial<Omit<GatewayRecord, 'id' | 'projectId' | 'version'>>,
    extras?: WriteExtras,
  ): Promise<Updated>;
  /** All records, including those of replaced replicas; oldest first. */
  replicas(gatewayId: Id): Promise<GatewayReplicaRecord[]>;
  insertReplica(replica: NewGatewayReplica, extras?: WriteExtras): Promise<void>;
  updateReplica(
    id: Id,
    version: number,
    set: Partial<Omit<GatewayReplicaRecord, 'id' | 'gatewayId' | 'version'>>,
    extras?: WriteExtras,
  ): Promise<Updated>;
  replicaPrivateKey(id: Id): Promise<string | null>;
  registrations(gatewayReplicaIds: readonly Id[]): Promise<ServiceRegistrationRecord[]>;
  /** One record per run or job and gateway replica; a repeated one replaces it. */
  saveRegistration(registration: ServiceRegistrationRecord, extras?: WriteExtras): Promise<void>;
}
