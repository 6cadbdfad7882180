/** The window of maintenance of a fleet, as people see it. */
import type { FleetRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { instantText } from '../time/instant-text.ts';
import { type MaintenanceTime, windowAt } from './windows.ts';

export interface FleetWindow extends MaintenanceTime {
  readonly state: 'planned' | 'leaving' | 'on';
  /** From when jobs have notice, and none begin that may not end before the window. */
  readonly leavingAt: Timestamp;
}

/**
 * The window that is on, or the next one; null = the fleet has none. What its jobs were notified of counts until the
 * fleet's own pass has withdrawn it.
 */
export function fleetWindow(
  { spec, maintenance: notified }: Pick<FleetRecord, 'spec' | 'maintenance'>,
  now: Timestamp,
): FleetWindow | null {
  const maintenance = spec.configuration.maintenance ?? null;
  const window = maintenance && windowAt(maintenance, now);
  const present = notified !== null && now < notified.endsAt ? notified : null;
  if (present !== null && (window === null || window.startsAt > present.startsAt)) {
    const { since, startsAt, endsAt } = present;
    return { state: stateAt(present, now, true), leavingAt: since, startsAt, endsAt };
  }
  if (maintenance === null || window === null) return null;
  const planned = window.startsAt - maintenance.lead * SECOND;
  const isNotified = present?.startsAt === window.startsAt;
  const leavingAt = isNotified ? Math.min(present.since, planned) : planned;
  return { ...window, state: stateAt(window, now, isNotified || now >= leavingAt), leavingAt };
}

function stateAt(
  { startsAt }: MaintenanceTime,
  now: Timestamp,
  isLeaving: boolean,
): FleetWindow['state'] {
  if (now >= startsAt) return 'on';
  return isLeaving ? 'leaving' : 'planned';
}

/** `from 2026-12-06 02:00:00 UTC to 2026-12-06 06:00:00 UTC`. */
export const windowText = ({ startsAt, endsAt }: MaintenanceTime): string =>
  `from ${instantText(startsAt)} to ${instantText(endsAt)}`;
