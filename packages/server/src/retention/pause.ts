import { SECOND, type Timestamp } from '@dstack/core';

/** The state that is stored between rounds, and while one is under way. */
export interface RetentionState {
  /** When retention last looked at the clock. */
  readonly at: Timestamp;
  /** Nothing that earlier versions kept for ever is deleted before then. */
  readonly deletesFrom: Timestamp;
  /** Nothing is deleted for its age before then. */
  readonly trustedFrom: Timestamp;
}

/** Time to see what will be deleted, and to change the settings. */
export const PAUSE = 7 * 86_400 * SECOND;

/** Two looks at the clock are less than this apart while a server works. */
export const GAP = 600 * SECOND;

/** Time to correct a clock that may have been set by mistake. */
export const SHORT_PAUSE = 3600 * SECOND;

/**
 * The pauses after an upgrade, and after a time in which retention did not look at the clock: either no
 * server worked, or the clock was set ahead, and both look the same. A clock that is a year ahead for a
 * minute must delete nothing. A gap of more than `PAUSE` could delete more than that much too early, so
 * people get as long to notice it. A smaller gap costs an hour, because laptops sleep every night.
 */
export function nextState(
  before: RetentionState | null,
  now: Timestamp,
  hasRuns: boolean,
): RetentionState {
  if (before === null) {
    return { at: now, deletesFrom: hasRuns ? now + PAUSE : now, trustedFrom: now };
  }
  const gap = now - before.at;
  const earliest = gap > PAUSE ? now + PAUSE : gap > GAP ? now + SHORT_PAUSE : 0;
  // No rule asks for more than `PAUSE`: such a time was stored while the clock was ahead.
  const next = (time: Timestamp) => Math.min(Math.max(time, earliest), now + PAUSE);
  return { at: now, deletesFrom: next(before.deletesFrom), trustedFrom: next(before.trustedFrom) };
}

/** Stored by hand, or by a version of another form: as if there were none. */
export function parseState(text: string | null): RetentionState | null {
  if (text === null) return null;
  try {
    const { at, deletesFrom, trustedFrom = 0 } = JSON.parse(text) as Partial<RetentionState>;
    return [at, deletesFrom, trustedFrom].every(Number.isFinite)
      ? { at: Number(at), deletesFrom: Number(deletesFrom), trustedFrom: Number(trustedFrom) }
      : null;
  } catch {
    return null;
  }
}
