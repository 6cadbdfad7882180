import type { Timestamp } from '@dstack/core';
import type { SessionRecord, Store } from '@dstack/store';

const HOUR = 3_600_000_000;

/** How long an unused session lasts, in µs. */
const LIFETIMES = { persistent: 30 * 24 * HOUR, untilClosed: 12 * HOUR };

/** The time of last use is written every five minutes at most (µs). */
const USED_STEP = HOUR / 12;

export function lifetimeOf(session: Pick<SessionRecord, 'persistent'>): number {
  return session.persistent ? LIFETIMES.persistent : LIFETIMES.untilClosed;
}

/** Extends a session that is used. */
export async function usedSession(
  store: Pick<Store, 'sessions'>,
  session: SessionRecord,
  now: Timestamp,
): Promise<SessionRecord> {
  if (now - session.lastUsedAt < USED_STEP) return session;
  const times = { lastUsedAt: now, expiresAt: now + lifetimeOf(session) };
  await store.sessions.extend(session.id, times);
  return { ...session, ...times };
}
