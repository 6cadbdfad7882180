import type {
  AttachmentRecord,
  Id,
  VolumeObservationRecord,
  VolumeRecord,
  VolumeUse,
  VolumeUseRecord,
} from '@dstack/core';
import type { Page } from '../base/page.ts';
import type { NameChoice, Updated, WriteExtras } from '../base/writes.ts';

export type { AttachmentRecord, VolumeObservationRecord, VolumeRecord, VolumeUseRecord };

/** An attachment with the names that the wire shows. */
export interface VolumeAttachmentView extends AttachmentRecord {
  readonly instanceName: string;
  readonly instanceNum: number;
  readonly fleetName: string;
}

export interface VolumeView {
  readonly volume: VolumeRecord;
  readonly projectName: string;
  readonly userName: string;
  readonly attachments: readonly VolumeAttachmentView[];
}

export interface VolumeFilter {
  /** Null = all projects that are not deleted. */
  readonly projectIds: readonly Id[] | null;
  /** Leave deleted ones out. */
  readonly onlyActive?: boolean;
  readonly page?: Page;
}

export interface Volumes {
  list(filter: VolumeFilter): Promise<VolumeView[]>;
  byId(id: Id): Promise<VolumeView | null>;
  /** Also deleted ones, in no order. */
  viewsByIds(ids: readonly Id[]): Promise<VolumeView[]>;
  /** Not deleted. */
  byName(projectId: Id, name: string): Promise<VolumeView | null>;
  byNames(projectId: Id, names: readonly string[]): Promise<VolumeView[]>;
  insert(
    projectId: Id,
    name: NameChoice,
    build: (name: string) => { readonly volume: VolumeRecord } & WriteExtras,
  ): Promise<
    { readonly type: 'created'; readonly volume: VolumeRecord } | { readonly type: 'name-taken' }
  >;
  update(
    id: Id,
    version: number,
    set: Partial<Omit<VolumeRecord, 'id' | 'projectId' | 'version'>>,
    extras?: WriteExtras,
  ): Promise<Updated>;
  /** The attachments of these volumes by unfinished jobs, oldest first. */
  uses(volumeIds: readonly Id[]): Promise<VolumeUse[]>;
  /** The volumes that a job mounts, in the order of its mounts. */
  ofJob(jobId: Id): Promise<VolumeRecord[]>;
  attachment(id: Id): Promise<AttachmentRecord | null>;
}
