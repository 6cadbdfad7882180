/**
 *   submit ──► submitted ──► provisioning ──► active
 *                  └───────────────┴────────► failed
 *
 * `submitted`: its creation is ordered. `provisioning`: the backend creates it. Deletion is a flag
 * beside the status, never a status: it is ordered again until the backend reports that it is done,
 * since a volume that is left over costs money.
 */
import type { Transitions } from './transitions.ts';

export const VOLUME_STATUSES = ['submitted', 'provisioning', 'active', 'failed'] as const;
export type VolumeStatus = (typeof VOLUME_STATUSES)[number];

export const VOLUME_TRANSITIONS: Transitions<VolumeStatus> = {
  submitted: ['provisioning', 'failed'],
  provisioning: ['active', 'failed'],
  active: [],
  failed: [],
};

export const isVolumeActive = (status: VolumeStatus): boolean => status === 'active';
export const isVolumeFailed = (status: VolumeStatus): boolean => status === 'failed';
export const isVolumeSubmitted = (status: VolumeStatus): boolean => status === 'submitted';
export const isVolumeProvisioning = (status: VolumeStatus): boolean => status === 'provisioning';
/** Its backend has not created it yet. */
export const isVolumePassing = (status: VolumeStatus): boolean =>
  isVolumeSubmitted(status) || isVolumeProvisioning(status);

/** The same set for queries. */
export const WORKING_VOLUME_STATUSES = VOLUME_STATUSES.filter((status) => !isVolumeFailed(status));
