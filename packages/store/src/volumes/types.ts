import type { VolumeAttachmentData } from '@dstack/contract/wire';
import type { Id, VolumeRecord } from '@dstack/core';
import type { Page } from '../page.ts';
import type { NameChoice, Updated, WriteExtras } from '../writes.ts';

export type { VolumeRecord };

export interface VolumeAttachmentRecord {
  readonly volumeId: Id;
  readonly instanceId: Id;
  readonly attachmentData: VolumeAttachmentData | null;
}

/** An attachment with the names that the wire shows. */
export interface VolumeAttachmentView extends VolumeAttachmentRecord {
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
  attachments(instanceIds: readonly Id[]): Promise<VolumeAttachmentRecord[]>;
  /** At most one record per volume and instance; a repeated one replaces the data. */
  attach(attachment: VolumeAttachmentRecord, extras?: WriteExtras): Promise<void>;
  detach(volumeId: Id, instanceId: Id, extras?: WriteExtras): Promise<void>;
}
