/**
 *   submit ──► active ──► terminating ──► terminated (and deleted)
 *
 * `terminating` lasts until the last instance has ended, whose own deadlines bound it. `submitted`
 * and `failed` exist on the wire only.
 */
import type { Transitions } from './transitions.ts';

export const FLEET_STATUSES = [
  'submitted',
  'active',
  'terminating',
  'terminated',
  'failed',
] as const;
export type FleetStatus = (typeof FLEET_STATUSES)[number];

export const FLEET_TRANSITIONS: Transitions<FleetStatus> = {
  submitted: ['active', 'terminating', 'failed'],
  active: ['terminating'],
  terminating: ['terminated'],
  terminated: [],
  failed: ['terminating'],
};

export const isFleetActive = (status: FleetStatus): boolean => status === 'active';
export const isFleetTerminating = (status: FleetStatus): boolean => status === 'terminating';
export const isFleetFinished = (status: FleetStatus): boolean => status === 'terminated';
