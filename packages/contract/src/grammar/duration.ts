import { Problem, quote } from './problem.ts';

const SECONDS_PER_UNIT = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 } as const;
type Unit = keyof typeof SECONDS_PER_UNIT;

/** 285 years: such instants are still exact in microseconds. */
const LONGEST_SECONDS = 9_000_000_000;

/** Longer texts are not typing errors that a suggestion could correct. */
const LONGEST_SLIP = 40;

/** Reads a duration into seconds: `600`, `90s`, `10m`, `2h`, `1d`, `1w`, `3 h`; one unit only. */
export function parseDuration(text: string): number | Problem {
  if (/^\s*[+-]?\d+\s*$/.test(text)) return boundedDuration(Number(text));
  const match = /^(\d+)[ \t]*([smhdw])$/.exec(text);
  if (match) return boundedDuration(Number(match[1]) * SECONDS_PER_UNIT[match[2] as Unit]);
  const suggestion = nearestDuration(text);
  return new Problem(
    `must be a duration like '90s', '10m', '2h', '1d' or '1w' (or a number of seconds), got ${quote(text)}`,
    suggestion === undefined ? {} : { suggestion },
  );
}

/** The seconds, unless the deadline could not be represented. */
export function boundedDuration(seconds: number): number | Problem {
  if (Math.abs(seconds) <= LONGEST_SECONDS) return seconds;
  return new Problem(`must be at most ${LONGEST_SECONDS} seconds (285 years)`);
}

/** Reads spellings outside the grammar (`1h30m`, `1.5h`, `1H`) to suggest the right one. */
function nearestDuration(text: string): string | undefined {
  if (text.length > LONGEST_SLIP) return undefined;
  const packed = text.replace(/\s+/g, '').toLowerCase();
  const part = /(\d+(?:\.\d+)?)(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)/g;
  if (packed === '' || packed.replace(part, '') !== '') return undefined;
  let seconds = 0;
  for (const [, amount, unit] of packed.matchAll(part)) {
    seconds += Number(amount) * SECONDS_PER_UNIT[(unit ?? 's').charAt(0) as Unit];
  }
  return formatDuration(Math.round(seconds));
}

/** The largest unit that divides exactly: 300 -> `5m`, 90 -> `90s`, 3600 -> `1h`, 0 -> `0s`. */
export function formatDuration(seconds: number): string {
  if (seconds > 0) {
    for (const [unit, size] of Object.entries(SECONDS_PER_UNIT)) {
      if (seconds % size === 0) return `${seconds / size}${unit}`;
    }
  }
  return seconds < 0 ? `${seconds}` : `${seconds}s`;
}

/** Several units, for ages and idle times: 4545 -> `1h 15m 45s`. */
export function formatDurationParts(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [unit, size] of Object.entries(SECONDS_PER_UNIT)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length > 0 ? parts.join(' ') : '0s';
}
