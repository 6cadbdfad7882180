/**
 *   submit ──► submitted ──► provisioning ──► active
 *                  └───────────────┴────────► failed
 *
 * `submitted`: its creation is ordered. `provisioning`: the backend is making it. Deletion is a flag
 * beside the status, never a status: it is ordered again until the backend reports that it is done,
 * since a volume that nobody deletes costs money. `submitted` ends within `VOLUME_CREATE_LIMIT`,
 * `provisioning` within `VOLUME_PROVISION_LIMIT`.
 */
import type { VolumeStatus } from '../model/names.ts';
import { SECOND } from '../model/records.ts';
import type { Transitions } from './transitions.ts';

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
/** It is being made. */
export const isVolumePassing = (status: VolumeStatus): boolean =>
  isVolumeSubmitted(status) || isVolumeProvisioning(status);

/** A backend that has not taken the order by then has failed. */
export const VOLUME_CREATE_LIMIT = 600 * SECOND;

/** A backend that has not made a volume by then has failed. */
export const VOLUME_PROVISION_LIMIT = 1200 * SECOND;
