import { SECOND, type Timestamp } from '@dstack/core';

/** Clocks that agree so far are left alone, so that times of a host keep their distances. */
const TOLERANCE = 5 * SECOND;

/** No report is under way for longer: the clock of the host was set instead. */
const LONGEST_WAY = 60 * SECOND;

/**
 * Times of a host by the server's clock. Rules of the server decide by what a host has measured at some time, and the
 * clock of the host may be wrong or be set at any moment.
 *
 * A report on its way makes the clock of the host seem behind, so the largest lead that was seen is the best one.
 */
export class HostTimes {
  #lead: number | null = null;

  /** The time `hostTime` of a report that arrives at `now`; all in µs. */
  serverTime(hostTime: Timestamp, now: Timestamp): Timestamp {
    const lead = hostTime - now;
    const isSet = this.#lead === null || lead < this.#lead - LONGEST_WAY;
    this.#lead = isSet ? lead : Math.max(this.#lead ?? lead, lead);
    return Math.abs(this.#lead) <= TOLERANCE ? hostTime : hostTime - this.#lead;
  }
}
