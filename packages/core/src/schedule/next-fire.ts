import { nextCronTime, Problem, parseCron } from '@dstack/contract';
import type { Timestamp } from '../model/index.ts';

/** Microseconds in a millisecond. */
const MILLISECOND = 1000;

/**
 * The first instant after `after` at which one of the crontab expressions fires, in UTC; null if
 * none ever does. Weekday numbers count from Monday = 0, and day and weekday must both match, as in
 * dstack 0.22.5. Configurations with invalid expressions are refused, so an invalid one is ignored
 * here.
 */
export function nextFire(cron: readonly string[], after: Timestamp): Timestamp | null {
  return firesOf(cron)(after);
}

/** The same for many questions about the same expressions. */
export function firesOf(cron: readonly string[]): (after: Timestamp) => Timestamp | null {
  const schedules = cron.flatMap((text) => {
    const schedule = parseCron(text);
    return schedule instanceof Problem ? [] : [schedule];
  });
  return (after) => {
    const times = schedules.flatMap((schedule) => {
      const time = nextCronTime(schedule, Math.floor(after / MILLISECOND));
      return time === undefined ? [] : [time * MILLISECOND];
    });
    return times.length > 0 ? Math.min(...times) : null;
  };
}
