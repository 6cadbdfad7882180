import type { Id } from '@dstack/core';
import type { SimClock } from './sim-clock.ts';

/** Requests of a replica that is scaled down continue for a time, as seen by one server. */
export function scriptedDrain(
  clock: SimClock,
  drainSeconds: () => number,
): { leave(jobId: Id, whenIdle: () => void): boolean } {
  const until = new Map<Id, number>();
  return {
    leave: (jobId, whenIdle) => {
      const known = until.get(jobId) ?? clock.now + drainSeconds() * 1_000_000;
      if (!until.has(jobId)) clock.after(known - clock.now, whenIdle);
      until.set(jobId, known);
      return clock.now >= known;
    },
  };
}
