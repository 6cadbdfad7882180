import type { Timestamp } from '@dstack/core';

/** Microseconds since the epoch; Node's wall clock has no finer resolution. */
export function systemNow(): Timestamp {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
