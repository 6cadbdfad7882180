/** Which work the windows of maintenance keep from fleets, at one moment. */
import { formatDuration } from '@dstack/contract';
import type { Finding } from '@dstack/contract/wire';
import type { FleetRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { finding } from '../offers/findings.ts';
import { type FleetWindow, fleetWindow, windowText } from './fleet-window.ts';
import { gapAfter, type MaintenanceTime, windowAfter } from './windows.ts';

/** More windows than these one after the other keep a gang from its start, which is then not known. */
const LOOKED_AT = 20;

/**
 * Seconds that a start may take once a window has ended. Work that needs the whole time between two windows but for
 * less than this would be too late after each of them.
 */
const LONGEST_START = 900;

/** Seconds. Most work without a limit has ended within a week. */
const FAR_AHEAD = 7 * 86_400;

/** The longest duration of a gang: seconds from its start until it has surely ended; null = not known. */
interface Lasting {
  readonly lasts: number | null;
}

/**
 * Within a window nothing is placed. Before it, what surely ends in time is; other work is until the time of notice
 * begins, and has to leave then. What fits neither before the next window nor between that and the one after, with the time
 * of its start, is treated as if its end were not known: it waits for no window but the next.
 */
export class FleetWindows {
  /** The moment; Infinity = unknown, then no window counts. */
  readonly #now: Timestamp;
  readonly #windows = new Map<FleetRecord, FleetWindow | null>();

  constructor(now: Timestamp) {
    this.#now = now;
  }

  /** The window that is on, or the next one. */
  of(fleet: FleetRecord): FleetWindow | null {
    const { maintenance, spec } = fleet;
    if (maintenance === null && !spec.configuration.maintenance) return null;
    const known = this.#windows.get(fleet);
    if (known !== undefined) return known;
    const window = Number.isFinite(this.#now) ? fleetWindow(fleet, this.#now) : null;
    this.#windows.set(fleet, window);
    return window;
  }

  /** The window that keeps a gang from the fleet now; null = none does. */
  against(fleet: FleetRecord, { lasts }: Lasting): FleetWindow | null {
    const window = this.of(fleet);
    if (window === null || window.state === 'on') return window;
    if (endsBefore(window, lasts, this.#now)) return null;
    return window.state === 'leaving' || fitsAfter(fleet, window, lasts) ? window : null;
  }

  /** The same as a reason. */
  finding(fleet: FleetRecord, gang: Lasting): Finding | null {
    const window = this.against(fleet, gang);
    if (window === null) return null;
    const has = windowText(window);
    if (window.state === 'on') return finding('maintenance', { has });
    const { lasts } = gang;
    const asked = lasts === null ? 'unknown duration' : `up to ${formatDuration(lasts)}`;
    return finding('maintenance', { has, asked });
  }

  /**
   * The next window that work which starts now may have to leave for; null = it surely ends before, or nothing is
   * known of its end and the window is far ahead.
   */
  interrupting(fleet: FleetRecord, { lasts }: Lasting): FleetWindow | null {
    const window = this.of(fleet);
    if (window === null || endsBefore(window, lasts, this.#now)) return null;
    return lasts === null && window.startsAt > this.#now + FAR_AHEAD * SECOND ? null : window;
  }

  /** The first moment from `at` on at which no window keeps the gang from the fleet; null = not known. */
  openFrom(fleet: FleetRecord, { lasts }: Lasting, at: Timestamp): Timestamp | null {
    const { maintenance } = fleet.spec.configuration;
    const first = this.of(fleet);
    const lead = (maintenance?.lead ?? 0) * SECOND;
    let window: MaintenanceTime | null = first;
    let from = at;
    for (let i = 0; i < LOOKED_AT && window !== null; i++) {
      const isLeaving = window === first && first.state === 'leaving';
      const isOpen =
        !isLeaving && from < window.startsAt - lead && !fitsAfter(fleet, window, lasts);
      if (from < window.startsAt && (isOpen || endsBefore(window, lasts, from))) return from;
      from = Math.max(from, window.endsAt);
      window = maintenance ? windowAfter(maintenance, window) : null;
    }
    return window === null ? from : null;
  }
}

const endsBefore = (
  { startsAt }: MaintenanceTime,
  lasts: number | null,
  from: Timestamp,
): boolean => lasts !== null && from + lasts * SECOND <= startsAt;

/** Whether work surely ends between this window and the next one. */
function fitsAfter({ spec }: FleetRecord, window: MaintenanceTime, lasts: number | null): boolean {
  const { maintenance } = spec.configuration;
  if (lasts === null) return false;
  return !maintenance || lasts + LONGEST_START <= gapAfter(maintenance, window);
}
