/** The windows of a maintenance schedule, in UTC. */
import type { FleetMaintenance } from '@dstack/contract';
import { SECOND, type Timestamp } from '../model/values.ts';
import { firesOf } from '../schedule/index.ts';

export interface MaintenanceTime {
  readonly startsAt: Timestamp;
  /** The first moment after it. */
  readonly endsAt: Timestamp;
}

/** Windows that overlap or touch are one. A schedule with more of them in a row than these is refused. */
const MOST_JOINED = 100;

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

const following = new WeakMap<
  FleetMaintenance,
  { readonly of: Timestamp } & Pick<Known, 'window'>
>();

/** The window after one. */
export function windowAfter(
  maintenance: FleetMaintenance,
  { endsAt }: MaintenanceTime,
): MaintenanceTime | null {
  const last = following.get(maintenance);
  if (last?.of === endsAt) return last.window;
  const window = computeWindow(maintenance, endsAt);
  following.set(maintenance, { of: endsAt, window });
  return window;
}

/** The time without maintenance after a window, in seconds; Infinity if no other one follows. */
export function gapAfter(maintenance: FleetMaintenance, window: MaintenanceTime): number {
  const next = windowAfter(maintenance, window);
  return next === null ? Infinity : (next.startsAt - window.endsAt) / SECOND;
}

const computeWindow = (maintenance: FleetMaintenance, now: Timestamp): MaintenanceTime | null =>
  joinedWindow(maintenance, now)?.window ?? null;

const fires = new WeakMap<FleetMaintenance, ReturnType<typeof firesOf>>();

/** Kept, since it takes a millisecond to find that one of its expressions never fires. */
function firesIn(maintenance: FleetMaintenance): ReturnType<typeof firesOf> {
  const known = fires.get(maintenance);
  if (known) return known;
  const fireAfter = firesOf(maintenance.schedule);
  fires.set(maintenance, fireAfter);
  return fireAfter;
}

/** `isCut`: there are more windows in a row than were joined. */
function joinedWindow(
  maintenance: FleetMaintenance,
  now: Timestamp,
): { readonly window: MaintenanceTime; readonly isCut: boolean } | null {
  const length = maintenance.duration * SECOND;
  const fireAfter = firesIn(maintenance);
  // The first beginning whose window has not ended by now.
  const first = fireAfter(now - length);
  if (first === null) return null;
  let startsAt = first;
  let endsAt = first + length;
  let joined = 1;
  for (; joined <= MOST_JOINED; joined++) {
    // A schedule never fires at the moment from which its next time is computed.
    const earlier = fireAfter(startsAt - length - 1);
    if (earlier === null || earlier >= startsAt) break;
    startsAt = earlier;
  }
  for (; joined <= MOST_JOINED; joined++) {
    const later = fireAfter(endsAt - length);
    if (later === null || later > endsAt) break;
    endsAt = later + length;
  }
  return { window: { startsAt, endsAt }, isCut: joined > MOST_JOINED };
}

const MOST_SCHEDULES = 20;

/** A Monday, for checks that must not depend on the present time. */
const CHECKED_FROM = Date.UTC(2024, 0, 1) * 1000;

/** So many times between two windows are checked at least; until one is long enough, all of a week, up to `MOST_CHECKED`. */
const CHECKED = 10;
const MOST_CHECKED = 2000;
const CHECKED_UNTIL = CHECKED_FROM + 7 * 86_400 * SECOND;

/** The fault of a schedule of windows, as the end of a sentence about `maintenance`; null = nothing. */
export function maintenanceProblem(maintenance: FleetMaintenance): string | null {
  const { schedule, lead } = maintenance;
  if (schedule.length > MOST_SCHEDULES) {
    return `has ${schedule.length} schedules; at most ${MOST_SCHEDULES} are allowed`;
  }
  let now = CHECKED_FROM;
  let hasTime = false;
  for (let i = 0; i <= CHECKED || (!hasTime && now < CHECKED_UNTIL && i < MOST_CHECKED); i++) {
    const next = joinedWindow(maintenance, now);
    if (next === null && i === 0) return 'has a `schedule` that never fires';
    if (next === null) return null;
    if (next.isCut) {
      return `leaves no time between its windows, more than ${MOST_JOINED} of which follow each other: choose a \`schedule\` that fires less often, or a shorter \`duration\``;
    }
    hasTime ||= i > 0 && (next.window.startsAt - now) / SECOND > lead;
    now = next.window.endsAt;
  }
  return hasTime
    ? null
    : 'leaves no time for jobs between its windows: choose a shorter `duration` or `lead`';
}
