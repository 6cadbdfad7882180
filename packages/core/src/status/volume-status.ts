/**
 *   submit ──► submitted ──► active
 *                  └──────► failed
 *
 * Deletion is a flag beside the status, never a status. `provisioning` is a word of the wire that
 * no volume takes. `submitted` ends within `VOLUME_CREATE_LIMIT`.
 */
import type { VolumeStatus } from '../model/names.ts';
import { SECOND } from '../model/records.ts';
import type { Transitions } from './transitions.ts';

export const VOLUME_TRANSITIONS: Transitions<VolumeStatus> = {
  submitted: ['provisioning', 'active', 'failed'],
  provisioning: ['active', 'failed'],
  active: [],
  failed: [],
};

export const isVolumeActive = (status: VolumeStatus): boolean => status === 'active';
export const isVolumeFailed = (status: VolumeStatus): boolean => status === 'failed';
/** The backend has still to answer. */
export const isVolumePassing = (status: VolumeStatus): boolean =>
  status === 'submitted' || status === 'provisioning';

/** A backend that has not made a volume by then has failed, µs. */
export const VOLUME_CREATE_LIMIT = 600 * SECOND;
