/** Which work the windows of maintenance keep from fleets, at one moment. */
import { formatDuration } from '@dstack/contract';
import type { Finding } from '@dstack/contract/wire';
import type { FleetRecord, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { finding } from '../offers/findings.ts';
import { type FleetWindow, fleetWindow, windowText } from './fleet-window.ts';
import { longestGap, type MaintenanceTime, windowAfter } from './windows.ts';

/** More windows than these one after the other keep a gang from its start, which is then not known. */
const LOOKED_AT = 20;

/**
 * Seconds that a start may take once a window has ended. Work that needs the whole time between two windows but for
 * less than this would be too late after each of them.
 */
const LONGEST_START = 900;

/** What is known of the end of a gang: seconds from its start until it has surely ended; null = nothing. */
interface Lasting {
  readonly lasts: number | null;
}

/**
 * Within a window nothing is placed. Before it, what surely ends in time is; other work is until the time of notice
 * begins, and has to leave then. Work that needs longer than there is between two windows is treated as if its end
 * were not known: it would never start, as would work that leaves no time to start it.
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
    if (this.#hasKnownEnd(fleet, window, lasts, this.#now)) {
      return this.#now + lasts * SECOND > window.startsAt ? window : null;
    }
    return window.state === 'leaving' ? window : null;
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

  /** The next window that work which starts now may have to leave for; null = it surely ends before. */
  interrupting(fleet: FleetRecord, { lasts }: Lasting): FleetWindow | null {
    const window = this.of(fleet);
    const ends = lasts !== null && window && this.#now + lasts * SECOND <= window.startsAt;
    return ends ? null : window;
  }

  /** The first moment from `at` on at which no window keeps the gang from the fleet; null = not known. */
  openFrom(fleet: FleetRecord, { lasts }: Lasting, at: Timestamp): Timestamp | null {
    const { maintenance } = fleet.spec.configuration;
    const first = this.of(fleet);
    if (first === null) return at;
    const end = this.#hasKnownEnd(fleet, first, lasts, at) ? lasts * SECOND : null;
    const lead = (maintenance?.lead ?? 0) * SECOND;
    let window: MaintenanceTime | null = first;
    let from = at;
    for (let i = 0; i < LOOKED_AT && window !== null; i++) {
      const isNear = window === first && first.state === 'leaving';
      const leavingAt = isNear ? -Infinity : window.startsAt - lead;
      const fits = end === null ? from < leavingAt : from + end <= window.startsAt;
      if (from < window.startsAt && fits) return from;
      from = Math.max(from, window.endsAt);
      window = maintenance ? windowAfter(maintenance, window) : null;
    }
    return window === null ? from : null;
  }

  /** Whether it surely ends before this window, or between two later ones, from its start on. */
  #hasKnownEnd(
    { spec }: FleetRecord,
    window: FleetWindow,
    lasts: number | null,
    from: Timestamp,
  ): lasts is number {
    const { maintenance } = spec.configuration;
    if (lasts === null) return false;
    if (from + lasts * SECOND <= window.startsAt || !maintenance) return true;
    return lasts + LONGEST_START <= longestGap(maintenance, window);
  }
}
