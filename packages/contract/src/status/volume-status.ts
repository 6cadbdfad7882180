/**
 *   submit ──► submitted ──► active
 *                  └──────► failed
 *
 * Deletion is a flag, not a status. `provisioning` exists in the API only; no volume has it.
 */
import type { Transitions } from './transitions.ts';

export const VOLUME_STATUSES = ['submitted', 'provisioning', 'active', 'failed'] as const;
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

export const VOLUME_TRANSITIONS: Transitions<VolumeStatus> = {
  submitted: ['provisioning', 'active', 'failed'],
  provisioning: ['active', 'failed'],
  active: [],
  failed: [],
};

export const isVolumeActive = (status: VolumeStatus): boolean => status === 'active';
export const isVolumeFailed = (status: VolumeStatus): boolean => status === 'failed';
/** The backend has not answered yet. */
export const isVolumePassing = (status: VolumeStatus): boolean =>
  status === 'submitted' || status === 'provisioning';

/** The same set for queries. */
export const WORKING_VOLUME_STATUSES = VOLUME_STATUSES.filter((status) => !isVolumeFailed(status));
