import { relativeTimeText } from '../../ui/time/format-time.ts';

/** As the server writes times to come: `in 1 h 5 min (2026-11-26 12:00:00 UTC)`. */
const TIME_TO_COME = /\bin \d[^()]{0,20} \((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\)/g;

/** The text with the time that is left now (ms), not when the server wrote it. */
export function withPresentTimes(text: string, now: number): string {
  return text.replaceAll(TIME_TO_COME, (_written, day: string, time: string) => {
    const at = Date.parse(`${day}T${time}Z`);
    const left = at <= now ? 'now' : relativeTimeText(at, now);
    return `${left} (${day} ${time} UTC)`;
  });
}
