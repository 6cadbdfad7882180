import type { Timestamp } from '@dstack/core';
import { ServerClock } from './server-clock.ts';

/** The clock of this process. Everything that asks for the time asks it. */
export const systemClock = new ServerClock({
  wall: () => Date.now(),
  monotonic: () => performance.now(),
});

/** Microseconds since the epoch. */
export function systemNow(): Timestamp {
  return systemClock.now();
}

/** Milliseconds since the epoch, by the same clock. */
export function systemMillis(): number {
  return Math.floor(systemClock.now() / 1000);
}
