import type { GroupRecord, Id } from '@dstack/core';

export interface GroupView {
  readonly group: GroupRecord;
  readonly projectName: string;
  readonly fleetName: string;
}

/** Writing goes through `store.engine`. */
export interface Groups {
  /** Also deleted ones. */
  byId(id: Id): Promise<GroupView | null>;
}
