/** The windows of a maintenance schedule, in UTC. */
import type { FleetMaintenance } from '@dstack/contract';
import { SECOND, type Timestamp } from '../model/values.ts';
import { firesOf } from '../schedule/index.ts';

export interface MaintenanceTime {
  readonly startsAt: Timestamp;
  /** The first moment after it. */
  readonly endsAt: Timestamp;
}

const MINUTE = 60 * SECOND;

/** Windows that overlap are one; more of them in a row than these are a fleet that is always in maintenance. */
const MOST_MERGED = 100;

interface Known {
  /** Any moment from here to the end of the window has this window. */
  readonly since: Timestamp;
  readonly window: MaintenanceTime | null;
}

/** By configuration, which never changes: passes ask again and again. */
const known = new WeakMap<FleetMaintenance, Known>();

/** The window that is on, or the next one; null = none will come. */
export function windowAt(maintenance: FleetMaintenance, now: Timestamp): MaintenanceTime | null {
  const last = known.get(maintenance);
  if (last && now >= last.since && (last.window === null || now < last.window.endsAt)) {
    return last.window;
  }
  const window = computeWindow(maintenance, now);
  known.set(maintenance, { since: now, window });
  return window;
}

/** The window after one. */
export function windowAfter(
  maintenance: FleetMaintenance,
  { endsAt }: MaintenanceTime,
): MaintenanceTime | null {
  return computeWindow(maintenance, endsAt);
}

function computeWindow(
  { schedule, duration }: FleetMaintenance,
  now: Timestamp,
): MaintenanceTime | null {
  const length = duration * SECOND;
  const fireAfter = firesOf(schedule);
  // The first beginning whose window has not ended by now.
  let startsAt = fireAfter(now - length);
  if (startsAt === null) return null;
  let endsAt = startsAt + length;
  // Windows before it that reach into it.
  for (let i = 0; i < MOST_MERGED; i++) {
    // Schedules fire at whole minutes, and never at the moment from which the next time is looked for.
    const earlier = fireAfter(startsAt - length - MINUTE);
    if (earlier === null || earlier >= startsAt) break;
    startsAt = earlier;
  }
  for (let i = 0; i < MOST_MERGED; i++) {
    const later = fireAfter(endsAt - length);
    if (later === null || later > endsAt) break;
    endsAt = later + length;
  }
  return { startsAt, endsAt };
}

/** Of so many windows, the longest time between two counts. */
const LOOKED_AT = 10;

const gaps = new WeakMap<FleetMaintenance, { readonly from: Timestamp; readonly gap: number }>();

/**
 * The longest time without maintenance after a window, in seconds; Infinity if no other one follows. A run that needs
 * longer never ends between two windows.
 */
export function longestGap(maintenance: FleetMaintenance, after: MaintenanceTime): number {
  const last = gaps.get(maintenance);
  if (last?.from === after.startsAt) return last.gap;
  let gap = 0;
  let window = after;
  for (let i = 0; i < LOOKED_AT; i++) {
    const next = windowAfter(maintenance, window);
    if (next === null) {
      gap = Infinity;
      break;
    }
    gap = Math.max(gap, (next.startsAt - window.endsAt) / SECOND);
    window = next;
  }
  gaps.set(maintenance, { from: after.startsAt, gap });
  return gap;
}

const MOST_SCHEDULES = 20;

/** A Monday, for checks that must not depend on the present time. */
const CHECKED_FROM = Date.UTC(2024, 0, 1) * 1000;

/** What is wrong with a schedule of windows, as the end of a sentence about `maintenance`; null = nothing. */
export function maintenanceProblem(maintenance: FleetMaintenance): string | null {
  const { schedule } = maintenance;
  if (schedule.length > MOST_SCHEDULES) {
    return `has ${schedule.length} schedules; at most ${MOST_SCHEDULES} are allowed`;
  }
  const window = computeWindow(maintenance, CHECKED_FROM);
  if (window === null) return 'has a `schedule` that never fires';
  const left = longestGap({ ...maintenance }, window);
  if (left > maintenance.lead) return null;
  return left <= 0
    ? 'leaves no time between its windows: choose a shorter `duration`'
    : 'leaves no time for jobs between its windows: choose a shorter `duration` or `lead`';
}
