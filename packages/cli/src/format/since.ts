import { UsageError } from '../errors.ts';
import { parseInstant } from './time.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/**
 * `--since`: seconds, `<N>[smhdw]`, or ISO 8601 with an offset. Returns ISO 8601 UTC.
 *
 * @throws UsageError for anything else; a time without offset would mean different things on
 *   different machines.
 */
export function parseSince(value: string, now: number): string {
  const ago = /^(\d+)([smhdw]?)$/.exec(value.trim());
  if (ago !== null) {
    const seconds = Number(ago[1]) * (UNIT_SECONDS[ago[2] || 's'] ?? 1);
    return new Date(now - seconds * 1000).toISOString();
  }
  const instant = parseInstant(value);
  if (instant === null) {
    throw new UsageError(`Cannot read --since "${value}"`, {
      why: 'expected 90, 15m, 2h, 1d, 1w, or a time with offset such as 2026-01-31T12:00:00Z',
    });
  }
  return instant;
}
