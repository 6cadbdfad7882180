import type { JobPhase } from '@dstack/contract/agent';

/**
 * accepted -> preparing -> pulling -> held -> starting -> running -> exited
 *
 * Phases may be skipped but never go back; each may go to `exited`. Deadlines: `accepted` and
 * `held` wait for the server (which ends them by a stop), `pulling` ends when its stream stalls,
 * `starting` by the executor's own limits, `running` by `max_duration` and stops.
 */
export const PHASES: readonly JobPhase[] = [
  'accepted',
  'preparing',
  'pulling',
  'held',
  'starting',
  'running',
  'exited',
];

export function mayPhaseFollow(from: JobPhase, to: JobPhase): boolean {
  return PHASES.indexOf(to) > PHASES.indexOf(from);
}

/** Whether the job occupies the machine. */
export function isLive(phase: JobPhase): boolean {
  return phase !== 'exited';
}

/** Whether nothing of the job can have run yet. */
export function isBeforeStart(phase: JobPhase): boolean {
  return mayPhaseFollow(phase, 'starting');
}
