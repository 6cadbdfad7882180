import type { Timestamp } from '@dstack/core';

/** Microseconds since the epoch; Node's wall clock has no finer step than a fraction of these. */
export function systemNow(): Timestamp {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
