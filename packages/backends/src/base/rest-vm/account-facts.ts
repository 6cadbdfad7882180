/**
 * Facts that the database keeps about accounts, by a hash of their credentials. Credentials are also tried before they are
 * stored, and replaced: what was not used for a while is deleted.
 */
import type { Timestamp } from '@dstack/core';

/** Kinds of facts: their keys are `<kind>:…`. */
export const OFFERS_FACT = 'live-offers';
export const TURNS_FACT = 'call-turns';
export const ORDERS_FACT = 'unnamed-orders';
export const OPEN_ORDERS_FACT = 'open-orders';
export const OWNERS_FACT = 'vm-owners';
export const ACCOUNT_FACTS = [
  ...[OFFERS_FACT, TURNS_FACT, ORDERS_FACT, OPEN_ORDERS_FACT, OWNERS_FACT],
] as const;

const DAY_US = 86_400_000_000;
/**
 * Plans show them at once, also after a long time; calls count for an hour at most, and orders for minutes. Owners of
 * machines that exist are written again each day, by servers that run.
 */
const KEPT_US = {
  [OFFERS_FACT]: 30 * DAY_US,
  [TURNS_FACT]: DAY_US,
  [ORDERS_FACT]: DAY_US,
  [OPEN_ORDERS_FACT]: DAY_US,
  [OWNERS_FACT]: 90 * DAY_US,
} as const;
/** A later time was written by a wrong clock. */
const AHEAD_US = DAY_US;

interface DatedFact {
  /** Milliseconds since the epoch. */
  readonly at?: unknown;
}

interface TurnsFact {
  /** In µs. */
  readonly begun?: unknown;
  readonly pausedUntil?: unknown;
}

/** Whether the fact was last used long ago, or is nothing that this version has written. */
export function isOldFact(key: string, value: string, now: Timestamp): boolean {
  const kind = ACCOUNT_FACTS.find((one) => key.startsWith(`${one}:`));
  if (kind === undefined) return false;
  const usedAt = lastUse(kind, value);
  return usedAt === null || now - usedAt > KEPT_US[kind] || usedAt - now > AHEAD_US;
}

function lastUse(kind: (typeof ACCOUNT_FACTS)[number], value: string): number | null {
  let fact: unknown;
  try {
    fact = JSON.parse(value);
  } catch {
    return null;
  }
  if (typeof fact !== 'object' || fact === null) return null;
  if (kind !== TURNS_FACT) {
    const { at } = fact as DatedFact;
    return typeof at === 'number' ? at * 1000 : null;
  }
  const { begun, pausedUntil } = fact as TurnsFact;
  const times = [begun, pausedUntil].flat(3).filter((time) => typeof time === 'number');
  return times.length === 0 ? null : Math.max(...times);
}
