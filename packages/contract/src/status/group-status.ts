/**
 * A placement or compute group in a cloud. Not on the wire.
 *
 *   creating ──► ready ──► deleting ──► deleted
 *       └──────► failed
 *
 * Only the backend's answer ends `creating` and `deleting`. If the backend itself was removed, it
 * can no longer answer; the group then ends with an alarm that names it.
 */
import type { Transitions } from './transitions.ts';

export const GROUP_STATUSES = ['creating', 'ready', 'deleting', 'deleted', 'failed'] as const;
export type GroupStatus = (typeof GROUP_STATUSES)[number];

export const GROUP_TRANSITIONS: Transitions<GroupStatus> = {
  creating: ['ready', 'failed'],
  ready: ['deleting'],
  deleting: ['deleted'],
  deleted: [],
  failed: [],
};

export const isGroupCreating = (status: GroupStatus): boolean => status === 'creating';
export const isGroupReady = (status: GroupStatus): boolean => status === 'ready';
export const isGroupDeleting = (status: GroupStatus): boolean => status === 'deleting';
export const isGroupDeleted = (status: GroupStatus): boolean => status === 'deleted';
export const isGroupFailed = (status: GroupStatus): boolean => status === 'failed';
