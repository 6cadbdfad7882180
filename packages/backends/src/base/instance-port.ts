/** The part of the capacity port for instances: what is ordered, and how one is followed and reached. */
import type { Duplex } from 'node:stream';
import type { BackendSettings, RegistryAuth } from '@dstack/contract';
import type { HostFacts, LeaseEnding, NoticeWatch } from '@dstack/contract/agent';
import type { Requirements, UnixUser } from '@dstack/contract/wire';
import type {
  Id,
  InstanceHandle,
  InstanceObservation,
  Offer,
  ProvisioningData,
  VolumeHandle,
} from '@dstack/core';
import type { OwnerTags } from './owner-tags.ts';

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
  /**
   * Called before each call to the provider that may create it, by adapters that look for it first. Rejects
   * if the order was withdrawn, or is carried out elsewhere.
   */
  readonly onSending?: () => Promise<void>;
  /** Aborted once the caller waits no longer: from then on nothing may be sent that creates it. */
  readonly signal?: AbortSignal;
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
  /** The user that the configuration requests; null = the user of the image. */
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

export interface GroupHandle {
  readonly id: string;
  readonly data: string | null;
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
  /** The facts that the agent reported; null before its first connection. */
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
   * Whether `watch` reports a part of the changes only, such as that agents connect: ready instances are observed on
   * a schedule all the same. Omitted: it reports all.
   */
  readonly watchesPartly?: boolean;
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
  /** Where a machine finds that its provider takes it back. Omitted: the provider announces nothing there. */
  readonly notices?: NoticeWatch;
  /**
   * Ends the instance; an unknown one has ended. `releasing` = accepted but still charged; call it
   * again.
   */
  release(handle: InstanceHandle, how?: HowReleased): Promise<'released' | 'releasing'>;
  /** Everything that carries the owner's server tag and has not ended. */
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedInstance[]>;
}

export interface HowReleased {
  /** Where an order may have made two machines, the other one ends with it, unless it is ended as an orphan. */
  readonly isOrphan?: boolean;
  /** An earlier call, maybe of another process, was answered with `releasing`. */
  readonly wasAccepted?: boolean;
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
  /** The owner, as far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}
