const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const DATE_TIME = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
});
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** `26 Nov 2026, 20:34:40`, in the reader's time zone. */
export function absoluteTime(time: number): string {
  return DATE_TIME.format(time);
}

const CLOCK = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});
const DAY_OF_YEAR = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short' });

/** `20:34:40.123`, on other days than today `26 Nov 20:34:40.123`, in the reader's time zone. */
export function preciseTime(time: number, now: number): string {
  const [day, clock] = [DAY_OF_YEAR.format(time), CLOCK.format(time)];
  const isToday = Math.abs(now - time) < DAY && day === DAY_OF_YEAR.format(now);
  return isToday ? clock : `${day} ${clock}`;
}

/** `just now`, `12 s ago`, `3 min ago`, `in 2 h`, `4 d ago`, then the date. */
export function relativeTimeText(time: number, now: number): string {
  const ms = now - time;
  const size = Math.abs(ms);
  if (size < 1500) return ms < 0 ? 'now' : 'just now';
  if (size >= 30 * DAY) return DATE.format(time);
  const text = coarse(size);
  return ms < 0 ? `in ${text}` : `${text} ago`;
}

const DAY_AND_MINUTE = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
/** Beyond this, the day and month alone could be those of another year. */
const YEARLESS = 300 * DAY;

/** `12 s ago`, `3 h ago`; from a day on `26 Nov, 20:34`, after most of a year `26 Nov 2026`. */
export function momentText(time: number, now: number): string {
  const age = Math.abs(now - time);
  if (age < DAY) return relativeTimeText(time, now);
  return age < YEARLESS ? DAY_AND_MINUTE.format(time) : DATE.format(time);
}

function coarse(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** `430 ms`, `12 s`, `3 m 05 s`, `2 h 07 m`, `4 d 3 h`: at most two units. */
export function elapsedText(ms: number): string {
  const size = Math.max(0, ms);
  if (size < 1000) return `${Math.round(size)} ms`;
  if (size < MINUTE) return `${Math.floor(size / 1000)} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} m ${two((size % MINUTE) / 1000)} s`;
  if (size < DAY) return `${Math.floor(size / HOUR)} h ${two((size % HOUR) / MINUTE)} m`;
  return `${Math.floor(size / DAY)} d ${Math.floor((size % DAY) / HOUR)} h`;
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');

/** For files; `to` null: it goes on. */
export function secondsBetween(from: string, to: string | null): number {
  const end = to === null ? Date.now() : Date.parse(to);
  return Math.max(0, Math.round((end - Date.parse(from)) / 1000));
}
