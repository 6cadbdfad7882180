/** The part of the capacity port for network volumes, claims and directories of hosts. */
import type { Id, InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import type { OwnerTags } from './owner-tags.ts';

export interface VolumeOrder {
  readonly key: string;
  readonly volumeId: Id;
  readonly name: string;
  readonly owner: OwnerTags;
  readonly region: string;
  readonly availabilityZone: string | null;
  readonly sizeGib: number | null;
  readonly tags: Readonly<Record<string, string>>;
  /** An earlier attempt, of any process, may have made it: lists may lack it for a while. Omitted: none has. */
  readonly mayExist?: boolean;
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
  /** The owner, as far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}
