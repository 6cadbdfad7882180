/** A time as readers type it. */
export type AskedTime =
  | { readonly kind: 'time'; readonly time: number }
  | { readonly kind: 'unclear'; readonly problem: string };

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `-10m`, `-1h30m`. */
const BACK = /^-\s?((?:\d{1,6}[smhd]){1,4})$/;
const PART = /(\d{1,6})([smhd])/g;
/** `14:03`, `14:03:10.120`. */
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/;
/** `2026-11-27 14:03`, in the reader's time zone unless a zone follows. */
const DATE =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?\s?(?:Z|[+-]\d{2}:?\d{2})?$/i;

const HELP = 'Type a time such as 14:03, 2026-11-27 14:03:10, 2026-11-27T14:03:10Z or -10m.';

/** Times of day are the latest ones before `now`. */
export function parseAskedTime(text: string, now: number): AskedTime {
  const asked = text.trim();
  const back = BACK.exec(asked)?.[1];
  if (back !== undefined) {
    const parts = [...back.matchAll(PART)];
    const ms = parts.reduce(
      (sum, [, value, unit = 's']) => sum + Number(value) * (UNITS[unit] ?? 0),
      0,
    );
    return { kind: 'time', time: now - ms };
  }
  const clock = CLOCK.exec(asked);
  if (clock !== null) return timeOfDay(clock, now);
  // A date alone would otherwise be the midnight of UTC.
  const dated = asked.length === 10 ? `${asked}T00:00` : asked.replace(' ', 'T').replace(' ', '');
  const time = DATE.test(asked) ? Date.parse(dated) : Number.NaN;
  return Number.isNaN(time) ? { kind: 'unclear', problem: HELP } : { kind: 'time', time };
}

function timeOfDay(clock: RegExpExecArray, now: number): AskedTime {
  const [hours = 0, minutes = 0, seconds = 0] = clock.slice(1, 4).map((part) => Number(part ?? 0));
  if (hours > 23 || minutes > 59 || seconds > 59) return { kind: 'unclear', problem: HELP };
  const date = new Date(now);
  date.setHours(hours, minutes, seconds, Number((clock[4] ?? '').padEnd(3, '0')));
  if (date.getTime() > now) date.setDate(date.getDate() - 1);
  return { kind: 'time', time: date.getTime() };
}
