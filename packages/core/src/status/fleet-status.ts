/**
 *   submit ──► active ──► terminating ──► terminated (and deleted)
 *
 * `terminating` lasts until the last instance has ended, whose own deadlines bound it. `submitted`
 * and `failed` are words of the wire that no fleet takes.
 */
import type { FleetStatus } from '../model/names.ts';
import { SECOND } from '../model/records.ts';
import type { Transitions } from './transitions.ts';

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

/** Consolidation gives up after this many fruitless attempts; an update of the fleet resumes it. */
export const MAX_CONSOLIDATION_ATTEMPTS = 15;

const CONSOLIDATION_DELAYS = [60, 120, 300, 600, 1800] as const;

/** Wait before the given attempt (from 0), µs. */
export function consolidationDelay(attempt: number): number {
  const index = Math.min(attempt, CONSOLIDATION_DELAYS.length - 1);
  return (CONSOLIDATION_DELAYS[index] ?? 1800) * SECOND;
}
