import { SECOND, type Timestamp } from '@dstack/core';

/**
 * How far an event may be dated ahead of the clock, so that it follows those of a clock that was set back
 * (µs). A clock that was a year ahead for a minute must not date the events of a year.
 */
const MAX_AHEAD = 24 * 3600 * SECOND;

/** The instant of an event that follows one of the instant `last`. */
export function nextInstant(now: Timestamp, last: Timestamp): Timestamp {
  return last > now + MAX_AHEAD ? now : Math.max(now, last + 1);
}
