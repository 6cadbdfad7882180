const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * "5 mins ago". The steps are those of dstack 0.22.5.
 *
 * @param instant ISO 8601 with offset
 * @param now ms since the epoch
 */
export function relativeTime(instant: string, now: number): string {
  const ago = now - Date.parse(instant);
  if (Number.isNaN(ago)) return '';
  // The clocks of server and client may differ a little; "in 2 sec" would only confuse.
  if (ago < 0) return ago > -MINUTE ? 'now' : '';
  const days = Math.floor(ago / DAY);
  if (ago < 10 * SECOND) return 'now';
  if (ago < MINUTE) return `${Math.floor(ago / SECOND)} sec ago`;
  if (ago < 2 * MINUTE) return '1 min ago';
  if (ago < HOUR) return `${Math.round(ago / MINUTE)} mins ago`;
  if (ago < 2 * HOUR) return '1 hour ago';
  if (ago < DAY) return `${Math.round(ago / HOUR)} hours ago`;
  if (days === 1) return 'yesterday';
  if (days < 7) return `${days} days ago`;
  if (days < 31) return several(Math.max(1, Math.round(days / 7)), 'week');
  if (days < 365) return several(Math.max(1, Math.round(days / 30)), 'month');
  return several(Math.round(days / 365), 'year');
}

function several(n: number, unit: string): string {
  return n === 1 ? `1 ${unit} ago` : `${n} ${unit}s ago`;
}

type Precision = 'minute' | 'second';

const LENGTHS: Readonly<Record<Precision, number>> = {
  minute: 'YYYY-MM-DD HH:MM'.length,
  second: 'YYYY-MM-DD HH:MM:SS'.length,
};

/**
 * `YYYY-MM-DD HH:MM UTC`, or with seconds: the form of all instants that commands print, as schedules, logs of servers
 * and `--json` are in UTC, and teams read each other's output in different zones. Empty if the text is no instant.
 *
 * @param instant ISO 8601 with offset
 */
export function utcTime(instant: string, precision: Precision = 'minute'): string {
  const time = new Date(instant);
  if (Number.isNaN(time.getTime())) return '';
  return `${time.toISOString().slice(0, LENGTHS[precision]).replace('T', ' ')} UTC`;
}

/** The same without the day. */
export function utcClock(instant: string, precision: Precision = 'minute'): string {
  return utcTime(instant, precision).slice('YYYY-MM-DD '.length);
}

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2}| ?UTC)$/i;

/**
 * A time with its offset, in ISO 8601 or in the form of `utcTime`, as ISO 8601 in UTC; null for anything else. A time without
 * an offset would mean different things on different computers.
 */
export function parseInstant(text: string): string | null {
  const [, day, time, zone = ''] = INSTANT.exec(text.trim()) ?? [];
  const at = Date.parse(`${day}T${time}${/UTC$/i.test(zone) ? 'Z' : zone}`);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

const UNITS: readonly (readonly [string, number])[] = [
  ['w', 604_800],
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** The largest unit that divides exactly: 300 → `5m`, 90 → `90s`. */
export function durationInOneUnit(seconds: number): string {
  for (const [unit, size] of UNITS) {
    if (seconds !== 0 && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}

/** All units: 4545 → `1h 15m 45s`. */
export function durationInUnits(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [unit, size] of UNITS.slice(1)) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n}${unit}`);
  }
  return parts.length > 0 ? parts.join(' ') : '0s';
}
