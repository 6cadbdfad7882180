import { type CronSchedule, nextCronTime, Problem, parseCron } from '@dstack/contract';
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

/** The same for many questions about the same expressions: each is computed anew only once its time has come. */
export function firesOf(cron: readonly string[]): (after: Timestamp) => Timestamp | null {
  const schedules = cron.flatMap((text) => {
    const schedule = parseCron(text);
    return schedule instanceof Problem ? [] : [rememberedFire(schedule)];
  });
  return (after) => {
    const next = schedules.reduce(
      (first, fireAfter) => Math.min(first, fireAfter(after)),
      Infinity,
    );
    return Number.isFinite(next) ? next : null;
  };
}

/** Infinity: it does not fire. */
function rememberedFire(schedule: CronSchedule): (after: Timestamp) => number {
  let known = { after: Infinity, time: -Infinity };
  return (after) => {
    if (after < known.after || after >= known.time) {
      const time = nextCronTime(schedule, Math.floor(after / MILLISECOND));
      known = { after, time: time === undefined ? Infinity : time * MILLISECOND };
    }
    return known.time;
  };
}
