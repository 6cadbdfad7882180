/** Volumes: their records, and the input of their passes. */
import type {
  Volume,
  VolumeAttachmentData,
  VolumeProvisioningData,
  VolumeStatus,
} from '@dstack/contract/wire';
import type { IntentRecord } from './intents.ts';
import type { AttachmentStatus } from './names.ts';
import type { ObservedState, VolumeHandle } from './observations.ts';
import type { FleetRecord, InstanceRecord, JobRecord, RunRecord } from './records.ts';
import type { BackendName, Id, Timestamp } from './values.ts';

export interface VolumeRecord {
  readonly id: Id;
  readonly projectId: Id;
  readonly userId: Id;
  readonly name: string;
  /** `remote` and `local`: a directory of a host, see `prepareVolume`. */
  readonly backend: BackendName;
  /** The configuration in the form of the wire. */
  readonly configuration: Volume['configuration'];
  /** Registered by its id, so never deleted at the provider. */
  readonly external: boolean;
  readonly status: VolumeStatus;
  readonly statusMessage: string | null;
  /** How its backend finds it; null while nothing has been created. */
  readonly handle: VolumeHandle | null;
  readonly provisioningData: VolumeProvisioningData | null;
  /** The SSH fleet whose hosts hold it; null for other backends. */
  readonly fleetId: Id | null;
  /**
   * The only host that has it; null = it is not on the disk of a host, or no host has been chosen
   * yet.
   */
  readonly hostId: string | null;
  /** Several instances may use it at once. */
  readonly shared: boolean;
  readonly statusChangedAt: Timestamp;
  readonly createdAt: Timestamp;
  readonly lastProcessedAt: Timestamp;
  readonly lastJobProcessedAt: Timestamp | null;
  readonly toBeDeleted: boolean;
  readonly deleted: boolean;
  readonly deletedAt: Timestamp | null;
  readonly nextPassAt: Timestamp | null;
  readonly version: number;
}

/** The state of a volume, as its backend reports it. Texts are for people. */
export type VolumeObservation =
  | { readonly state: 'pending'; readonly text: string }
  | {
      readonly state: 'ready';
      /** Null if the backend has no sizes. */
      readonly sizeGib: number | null;
      /** Null if the backend does not measure it, or has not measured it yet. */
      readonly usedGib: number | null;
      readonly availabilityZone: string | null;
      /** Dollars per month; null = unknown. */
      readonly price: number | null;
      /** Several instances may use it at once. */
      readonly shared: boolean;
    }
  | { readonly state: 'failed'; readonly text: string }
  | { readonly state: 'missing' };

/** The last observation of a volume. It does not raise the version of the volume. */
export interface VolumeObservationRecord extends ObservedState<VolumeObservation> {
  readonly volumeId: Id;
}

/** The attachment of a volume to an instance, from the order to the end of the detachment. */
export interface AttachmentRecord {
  readonly id: Id;
  readonly volumeId: Id;
  readonly instanceId: Id;
  readonly status: AttachmentStatus;
  readonly statusChangedAt: Timestamp;
  /** Why it could not be attached or detached. */
  readonly error: string | null;
  /** Null until it is attached. */
  readonly attachmentData: VolumeAttachmentData | null;
  readonly version: number;
}

/**
 * A job mounts a volume. The record is written in the transaction that places the job, and deleted
 * when the job is finished. The volume is in use while a record exists.
 */
export interface VolumeUseRecord {
  readonly volumeId: Id;
  readonly jobId: Id;
  /** Position among the job's mounts of named volumes. */
  readonly mountNum: number;
  /** When its process ended, so that the volume may be detached. */
  readonly releasedAt: Timestamp | null;
}

export interface VolumeUse extends VolumeUseRecord {
  readonly job: JobRecord;
  readonly runName: string;
}

export interface VolumeSnapshot {
  readonly volume: VolumeRecord;
  readonly projectName: string;
  /**
   * Whether its backend is one of the project's; for a directory of SSH hosts, whether the fleet
   * exists.
   */
  readonly backendConfigured: boolean;
  /** The fleet of `volume.fleetId`. */
  readonly fleet: FleetRecord | null;
  /** Hosts that could hold it, of a volume that has no host yet. */
  readonly hosts: readonly VolumeHost[];
  readonly attachments: readonly AttachmentRecord[];
  readonly uses: readonly VolumeUse[];
  /** Instances of the attachments and uses. */
  readonly instances: readonly InstanceRecord[];
  readonly observation: VolumeObservationRecord | null;
  /** Intents of the volume and of its attachments. */
  readonly intents: readonly IntentRecord[];
}

/** A host that could hold a directory. */
export interface VolumeHost {
  readonly hostId: string;
  readonly name: string;
  /** Instance of an SSH host. Null: the server host, on which there may be several or none. */
  readonly instance: Pick<InstanceRecord, 'id' | 'version' | 'status'> | null;
  readonly connected: boolean;
  readonly error: string | null;
  readonly freeBytes: number;
}

/** A volume that hosts of a fleet hold. */
export interface FleetVolume {
  readonly volume: VolumeRecord;
  /** A host that has its data is connected. */
  readonly isReachable: boolean;
}

export interface MissingVolume {
  readonly since: Timestamp;
  readonly checkedAt: Timestamp;
}

/** A volume as placement sees it. */
export interface MountableVolume {
  readonly volume: VolumeRecord;
  readonly attachments: readonly AttachmentRecord[];
  readonly users: readonly VolumeUser[];
  /** Since when its backend reports that it does not have it; null: it has it. */
  readonly missing: MissingVolume | null;
  /** Its backend reports that it cannot be used; omitted: it does not. */
  readonly failed?: boolean;
}

/** The part of a run that holds a volume on an instance. */
export interface VolumeUser {
  readonly instanceId: Id | null;
  readonly run: Pick<RunRecord, 'id' | 'name' | 'projectId' | 'priority' | 'submittedAt'>;
}

/** A volume that a job of a run mounts. */
export interface JobVolume extends VolumeUseRecord {
  readonly name: string;
  /** To the job's instance; null = not attached now. */
  readonly attachment: AttachmentRecord | null;
  /** Other jobs on that instance mount it too. */
  readonly hasOthers: boolean;
}
