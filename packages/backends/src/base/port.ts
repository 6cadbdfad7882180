/**
 * The capacity port: what the server needs from every source of machines. One adapter folder per
 * kind of backend implements it; the server and `core` never branch on a backend's name.
 *
 * Every call returns quickly: work that takes minutes at a provider is begun by one call and
 * followed by `observe`. Every call may be repeated after a crash: the same key finds what was
 * begun before, and what has ended already is reported as ended.
 */
import type { Duplex } from 'node:stream';
import type { BackendSettings, GatewayBackendSettings, RegistryAuth } from '@dstack/contract';
import type { HostFacts, LeaseEnding } from '@dstack/contract/agent';
import type { Requirements, UnixUser } from '@dstack/contract/wire';
import type {
  BackendName,
  Capabilities,
  Claim,
  Id,
  InstanceHandle,
  InstanceObservation,
  Offer,
  ProvisioningData,
  VolumeHandle,
  VolumeObservation,
} from '@dstack/core';

export interface Backend {
  readonly name: BackendName;
  readonly capabilities: Capabilities;
  /**
   * Every offer that satisfies `requirements`, cheapest first. Throws `BackendError` if the backend
   * cannot be asked; a backend that answers only in part reports that in `notes`.
   */
  offers(requirements: Requirements): Promise<OfferAnswer>;
  /**
   * Whether the adapter signals freed capacity; the server polls other backends while runs wait.
   */
  readonly signalsCapacity: boolean;
  /** Null: offers can be shown, instances cannot be created. */
  readonly instances: InstancePort | null;
  /** Null: the backend has no network volumes. */
  readonly volumes: VolumePort | null;
  /** Null: neither placement nor compute groups. */
  readonly groups: GroupPort | null;
  /** Omitted: it makes no machines for gateways. */
  readonly gateways?: GatewayPort;
  /** Omitted: the server reports orphans of this backend, and ends none. */
  readonly claims?: Claims;
  /** Each permission that the adapter needs, checked with the backend's own API. */
  check(): Promise<readonly CheckResult[]>;
}

export interface OfferAnswer {
  readonly offers: readonly Offer[];
  /** For the plan: offers are stale, unverified, or come from some regions only. */
  readonly notes: readonly string[];
}

/**
 * The owner of a resource at a provider: four tags on everything that costs money, on machines, volumes,
 * groups, gateways, and the disks and addresses that are created for them.
 */
export interface OwnerTags {
  /** Id of the installation: servers that share a database are one owner. */
  readonly server: string;
  readonly project: string;
  /** Empty for volumes and gateways, which belong to no fleet. */
  readonly fleet: string;
  /** Name of the instance, the volume or the replica of a gateway; empty for groups. */
  readonly instance: string;
}

/** Names of the owner tags at providers that take tags with hyphens. */
export const OWNER_TAGS = {
  server: 'dstack-server',
  project: 'dstack-project',
  fleet: 'dstack-fleet',
  instance: 'dstack-instance',
} as const satisfies Record<keyof OwnerTags, string>;

export interface InstanceOrder {
  /** Key of the intent. An adapter that finds an instance with this key returns that instance. */
  readonly key: string;
  readonly instanceId: Id;
  readonly owner: OwnerTags;
  /** Null for instances that exist already (SSH hosts): there is nothing to choose. */
  readonly offer: Offer | null;
  /** Public keys that may log in, one line each. */
  readonly authorizedKeys: readonly string[];
  /** Tags of the user's configuration. */
  readonly tags: Readonly<Record<string, string>>;
  readonly reservation: string | null;
  /** Name of the placement group that the fleet's instances share. */
  readonly placementGroup: string | null;
  /** Network volumes that will be attached; they determine zone and region. */
  readonly volumes: readonly VolumeHandle[];
  /** Place in a compute group; null for a single instance. */
  readonly group: GroupPlace | null;
  /** For backends whose machines are the containers of jobs; null or omitted = without a job. */
  readonly container?: ContainerOrder | null;
  readonly onPreparing?: OnPreparing;
  /** An earlier attempt of this order had no answer: it may have been carried out. */
  readonly mayExist?: boolean;
}

/** Called while a backend does something first that takes long, with a text for people. */
export type OnPreparing = (text: string) => void;

/** The container of a job, where the backend runs it. Secrets are in clear text. */
export interface ContainerOrder {
  readonly jobName: string;
  readonly runName: string;
  readonly userName: string;
  /** With its registry. */
  readonly image: string;
  readonly registryAuth: RegistryAuth | null;
  /** As the configuration requests it; null = the user of the image. */
  readonly user: UnixUser | null;
  readonly privileged: boolean;
  /** Other jobs of the run reach it by its address, so an instance without one is not ready. */
  readonly needsAddress: boolean;
  /** Null: the job is alone. */
  readonly gang: GangPlace | null;
  readonly resources: Requirements['resources'];
  /** In the order of the configuration; the named volumes are `volumes` of the order, in the same order. */
  readonly mounts: readonly ContainerMount[];
  /** The run's settings for the backend; null = it has none. */
  readonly settings: BackendSettings | null;
}

/** The place of a job among the jobs that run together. */
export interface GangPlace {
  /** Identifies the gang: its jobs have the same key, and no other job has it. */
  readonly key: string;
  readonly rank: number;
}

export interface ContainerMount {
  /** In the container. */
  readonly path: string;
  /** A directory of the machine; null = a named volume. */
  readonly instancePath: string | null;
  readonly readOnly: boolean;
}

export interface GroupPlace {
  readonly handle: GroupHandle;
  readonly rank: number;
  readonly size: number;
}

export interface CreatedInstance {
  readonly handle: InstanceHandle;
  /** Which agent runs its jobs. The id of the instance, unless several instances share one agent. */
  readonly hostId: string;
  /**
   * The machine, if it is known when the order is accepted; else `observe` reports it, and until
   * then the server shows the offer without an address.
   */
  readonly provisioningData: ProvisioningData | null;
}

/** Facts about an instance that the server has beside its handle. */
export interface Seen {
  /** As the agent reported them; null before its first connection. */
  readonly facts: HostFacts | null;
}

export interface InstancePort {
  /**
   * Orders an instance and returns without waiting for it to boot. Throws `NoCapacityError` or
   * another `BackendError` so that the next offer is tried. `NoCapacityError` and `SkipOfferError`
   * also guarantee that there is no instance with this key; after a lost answer, no other error
   * guarantees that.
   */
  create(order: InstanceOrder): Promise<CreatedInstance>;
  /** Cheap. Called while an instance starts and, less often, while it lives. */
  observe(handle: InstanceHandle, seen: Seen): Promise<Observation>;
  /**
   * Optional: calls `onChange` with the handle's id when `observe` would report something new.
   * Returns the function that stops it.
   */
  readonly watch?: (onChange: (handleId: string) => void) => () => void;
  /**
   * Opens one connection to the agent of an instance whose access is of the kind `backend`. The
   * connections of an instance share what is expensive to open.
   */
  readonly dial?: (handle: InstanceHandle, token: string) => Promise<Duplex>;
  /**
   * How an instance ends by itself once its agent has had no contact with the server for the time
   * of its lease. Omitted: it cannot, and gets no lease.
   */
  readonly leaseEnding?: LeaseEnding;
  /**
   * Ends the instance; an unknown one has ended. `releasing` = accepted but still charged; call it
   * again.
   */
  release(handle: InstanceHandle): Promise<'released' | 'releasing'>;
  /** Everything that carries the owner's server tag and has not ended. */
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedInstance[]>;
}

/** `access` only with `ready`: how the server reaches the instance's agent. */
export type Observation =
  | Exclude<InstanceObservation, { readonly state: 'ready' }>
  | (Extract<InstanceObservation, { readonly state: 'ready' }> & {
      readonly access: InstanceAccess | null;
    });

/**
 * How the link supervisor reaches an agent. Null in an observation: the server has the access
 * already (the login of an SSH host, the agent of the server host).
 */
export type InstanceAccess =
  /** A unix socket of the server host, whose agent the adapter runs. */
  | { readonly kind: 'socket'; readonly path: string; readonly token: string }
  /** By `dial` of the adapter, which runs the agent. */
  | { readonly kind: 'backend'; readonly token: string }
  /** Over SSH; the supervisor installs the agent there. */
  | {
      readonly kind: 'ssh';
      readonly hostname: string;
      readonly port: number;
      readonly user: string;
      /**
       * The host key that the machine was given, in base64: one with another key is another machine.
       * Null: the first key that is seen is its own.
       */
      readonly hostKey: string | null;
    };

export interface ListedInstance {
  readonly handle: InstanceHandle;
  /** As far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}

export interface VolumeOrder {
  readonly key: string;
  readonly volumeId: Id;
  readonly name: string;
  readonly owner: OwnerTags;
  readonly region: string;
  readonly availabilityZone: string | null;
  readonly sizeGib: number | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Options of a claim for a persistent volume; null or omitted for all other volumes. */
  readonly claim?: ClaimOptions | null;
  /** Place of a directory of hosts; null for all other volumes. */
  readonly directory: DirectoryPlace | null;
}

export interface ClaimOptions {
  /** Null: the default class of the cluster. */
  readonly storageClass: string | null;
  readonly accessModes: readonly string[];
}

/** Where a directory of hosts is. */
export interface DirectoryPlace {
  /** Null if the hosts of a fleet share it. */
  readonly hostId: string | null;
  readonly fleetId: Id | null;
  /** Directory of the shared file system; null = the agent's own on the disk of its host. */
  readonly path: string | null;
}

export type AttachmentObservation =
  | { readonly state: 'pending'; readonly text: string }
  /** `device`: path of the block device on the instance; null if there is none. */
  | { readonly state: 'attached'; readonly device: string | null }
  | { readonly state: 'detached' };

export interface VolumePort {
  /** Like `InstancePort.create`: begins and returns; the same key finds the volume. */
  create(order: VolumeOrder): Promise<VolumeHandle>;
  /** Finds a volume that the user created. Throws `BackendError` if there is none with this id. */
  register(id: string, where: { readonly region: string }): Promise<VolumeHandle>;
  observe(handle: VolumeHandle): Promise<VolumeObservation>;
  /** An unknown volume has been deleted. Called only for volumes that `create` made. */
  delete(handle: VolumeHandle): Promise<'deleted' | 'deleting'>;
  /** Called again until it reports `attached`. */
  attach(handle: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation>;
  /** Called again until it reports `detached`. `force`: the instance may still use it. */
  detach(
    handle: VolumeHandle,
    from: InstanceHandle,
    options: { readonly force: boolean },
  ): Promise<AttachmentObservation>;
  /** Everything that carries the owner's server tag. */
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedVolume[]>;
}

export interface ListedVolume {
  readonly handle: VolumeHandle;
  /** As far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}

export interface GroupHandle {
  readonly id: string;
  readonly data: string | null;
}

export interface GroupOrder {
  /** Key of the intent. The same key finds the group. */
  readonly key: string;
  readonly name: string;
  readonly kind: 'placement' | 'compute';
  readonly region: string;
  /** The number of machines of a compute group, and their offer; null for a placement group. */
  readonly size: number | null;
  readonly offer: Offer | null;
  readonly owner: OwnerTags;
  /** As in `InstanceOrder`, of the first of its jobs. */
  readonly container?: ContainerOrder | null;
  readonly onPreparing?: OnPreparing;
}

export interface ListedGroup {
  readonly handle: GroupHandle;
  /** As far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}

/** A machine for one replica of a gateway, with open ports for SSH, HTTP and HTTPS. */
export interface GatewayOrder {
  /** Key of the intent. The same key finds the machine. */
  readonly key: string;
  readonly replicaId: Id;
  /** `instance`: the name of the gateway, with the number of the replica. */
  readonly owner: OwnerTags;
  /** The gateway of the replica: its other replicas have the same. */
  readonly gateway: { readonly id: Id; readonly name: string };
  /** Domain of the services, such as `*.apps.test`; null = the gateway has none. */
  readonly domain: string | null;
  /** Settings for the backend from the gateway's configuration; null = it has none. */
  readonly settings: GatewayBackendSettings | null;
  readonly region: string;
  /** Null: the adapter's default type. */
  readonly instanceType: string | null;
  /** Whether clients reach it from anywhere, or only in the private network. */
  readonly isPublic: boolean;
  /** Public keys that may log in, one line each. */
  readonly authorizedKeys: readonly string[];
  /** Tags of the user's configuration. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface ListedGateway {
  readonly handle: InstanceHandle;
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}

/** The same calls as for instances, with the same promises; gateways are never listed as instances. */
export interface GatewayPort {
  /**
   * As of instances whose access is of the kind `backend`. Omitted: the link supervisor has the
   * access.
   */
  readonly dial?: (handle: InstanceHandle, token: string) => Promise<Duplex>;
  /** Where nginx listens; omitted = as the server's settings say. */
  readonly ports?: (handle: InstanceHandle) => { readonly http: number; readonly https: number };
  create(order: GatewayOrder): Promise<InstanceHandle>;
  observe(handle: InstanceHandle): Promise<Observation>;
  /**
   * Makes again what the replicas share if a user has deleted it, and reports how the replica stands.
   * `order`: as it would be made now. Omitted: there is nothing to look after.
   */
  readonly maintain?: (
    handle: InstanceHandle,
    order: Omit<GatewayOrder, 'key'>,
  ) => Promise<GatewayCondition>;
  release(handle: InstanceHandle): Promise<'released' | 'releasing'>;
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedGateway[]>;
}

export interface GatewayCondition {
  /** Why another replica must take its place; null = it stays. For people. */
  readonly outdated: string | null;
  /** Why clients do not reach this replica yet, although it serves requests; null = they do. */
  readonly unreachable: string | null;
}

/**
 * A placement group puts machines that are ordered one by one close to each other. The machines of
 * a compute group are ordered with it: `instances.create` then only finds the machine of a rank.
 */
export interface GroupPort {
  /** Like `InstancePort.create`: begins and returns; the same key finds the group. */
  create(order: GroupOrder): Promise<GroupHandle>;
  /**
   * An unknown group has been deleted. A compute group ends with all of its machines. `in-use`: not
   * yet, because machines are in it or are ending; call it again.
   */
  delete(handle: GroupHandle): Promise<'deleted' | 'in-use'>;
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedGroup[]>;
}

/**
 * Claims on a server's tag, kept in the account that they are about. Installations with copies of
 * one database have the same tag, and only an installation without a rival may end resources
 * without a record.
 */
export interface Claims {
  /** All claims on the owner's server tag, expired ones too. */
  read(owner: Pick<OwnerTags, 'server'>): Promise<readonly Claim[]>;
  /**
   * Writes the claim of `claimant`, replacing its previous one, with the present time of the
   * provider.
   */
  renew(owner: Pick<OwnerTags, 'server'>, claim: Omit<Claim, 'renewedAt'>): Promise<void>;
}

export interface CheckResult {
  /** Permission or precondition, as the provider names it. */
  readonly name: string;
  readonly ok: boolean;
  /** The missing permission or precondition, and how to grant it; null when ok. */
  readonly problem: string | null;
  /** Nothing is known to be missing: the provider did not answer. */
  readonly unanswered?: boolean;
  /** The provider refuses the credentials. */
  readonly refused?: boolean;
}
