import { SECOND, type Timestamp } from '@dstack/core';

/** As stored between rounds. */
export interface RetentionState {
  /** Of the last round. */
  readonly at: Timestamp;
  /** Nothing that a person could miss is deleted before then. */
  readonly deletesFrom: Timestamp;
}

/** Time to see what will be deleted, and to change the settings. */
export const PAUSE = 7 * 86_400 * SECOND;

/**
 * The pause after an upgrade, and after a time for which no round was made. The latter is also how a
 * clock looks that was set ahead by a mistake: it must not delete a year at once.
 */
export function nextState(
  before: RetentionState | null,
  now: Timestamp,
  hasRuns: boolean,
): RetentionState {
  const later = now + PAUSE;
  if (before === null) return { at: now, deletesFrom: hasRuns ? later : now };
  // No rule asks for more: it was stored while the clock was ahead.
  if (before.deletesFrom > later) return { at: now, deletesFrom: later };
  if (now - before.at > PAUSE) return { at: now, deletesFrom: later };
  return { at: now, deletesFrom: before.deletesFrom };
}

/** Stored by another version, or by hand: as if there were none. */
export function parseState(text: string | null): RetentionState | null {
  if (text === null) return null;
  try {
    const { at, deletesFrom } = JSON.parse(text) as Partial<RetentionState>;
    return Number.isFinite(at) && Number.isFinite(deletesFrom)
      ? { at: Number(at), deletesFrom: Number(deletesFrom) }
      : null;
  } catch {
    return null;
  }
}
