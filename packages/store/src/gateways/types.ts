import type {
  GatewayRecord,
  GatewayReplicaRecord,
  GatewayReport,
  Id,
  NewEvent,
  Timestamp,
} from '@dstack/core';
import type { NameChoice, Updated, WriteExtras } from '../base/writes.ts';
import type { ServiceRegistrationRecord } from '../schema/resource-records.ts';

export type { GatewayRecord, GatewayReplicaRecord };

export type NewGatewayReplica = GatewayReplicaRecord & { readonly sshPrivateKey: string };

export interface GatewayView {
  readonly gateway: GatewayRecord;
  readonly projectName: string;
  /** The newest record per `replicaNum`, by `replicaNum`. */
  readonly replicas: readonly GatewayReplicaRecord[];
  /** About these replicas. */
  readonly reports: readonly GatewayReport[];
  /** A person has set certificates. */
  readonly hasFiles: boolean;
}

/** A certificate with its chain, and its key, for a host name or `*.` and a host name. */
export interface GatewayPemRecord {
  readonly domain: string;
  readonly certificate: string;
  readonly key: string;
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
  /**
   * Deletes the records of replicas that have ended and are older than that, except for the newest of
   * their gateways, which shows when the last attempt was made. Returns how many there were.
   */
  deleteEndedReplicas(createdBefore: Timestamp): Promise<number>;
  /** Replicas that have a machine, of all projects. */
  placedReplicas(): Promise<GatewayReplicaRecord[]>;
  replicaById(id: Id): Promise<GatewayReplicaRecord | null>;
  /**
   * Replaces the last report about a replica, and signals its gateway. `eventsOf`: of what it adds to the
   * last reports about all replicas.
   */
  saveReport(
    report: GatewayReport,
    gatewayId: Id,
    eventsOf?: (before: readonly GatewayReport[]) => readonly NewEvent[],
  ): Promise<void>;
  /** PEM files that a person has set; keys are encrypted at rest. */
  certificates(gatewayId: Id): Promise<GatewayPemRecord[]>;
  /** Replaces those of its domain, and signals the gateway. Null removes them. */
  setCertificate(
    gatewayId: Id,
    domain: string,
    pem: Omit<GatewayPemRecord, 'domain'> | null,
    extras?: WriteExtras,
  ): Promise<void>;
  /** Certificates that its replicas have requested; keys are encrypted at rest. */
  issuedCertificates(gatewayId: Id): Promise<GatewayPemRecord[]>;
  /** Replaces those of their domains, and signals the gateway. */
  saveIssuedCertificates(gatewayId: Id, certificates: readonly GatewayPemRecord[]): Promise<void>;
  /**
   * The key of the gateway's account at an authority; `created` becomes it if there is none yet. Encrypted
   * at rest.
   */
  acmeAccountKey(gatewayId: Id, directory: string, created: () => string): Promise<string>;
  /** The domain that it had before domains had to be proven for the DNS hook; null = it had none. */
  unprovenDomain(gatewayId: Id): Promise<string | null>;
  replicaPrivateKey(id: Id): Promise<string | null>;
  registrations(gatewayReplicaIds: readonly Id[]): Promise<ServiceRegistrationRecord[]>;
  /** One record per run or job and gateway replica; a repeated one replaces it. */
  saveRegistration(registration: ServiceRegistrationRecord, extras?: WriteExtras): Promise<void>;
}
