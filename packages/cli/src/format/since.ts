import type { Cli } from '../context.ts';
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
 * `--since` or another bound: seconds, `<N>[smhdw]`, or a time that `parseInstant` reads. Returns ISO 8601 UTC.
 *
 * @throws UsageError for anything else
 */
export function parseSince(value: string, now: number, option = '--since'): string {
  const ago = /^(\d+)([smhdw]?)$/.exec(value.trim());
  const instant = ago ? agoInstant(ago, now) : parseInstant(value);
  if (instant !== null) return instant;
  throw new UsageError(`Cannot read ${option} "${value}"`, {
    why: 'expected 90, 15m, 2h, 1d, 1w, or a time with offset such as 2026-01-31T12:00:00Z',
  });
}

/**
 * The same of an option of a command. What counts back from now counts from the time of the server, whatever this
 * computer's clock shows.
 *
 * @throws UsageError as `parseSince`, before the server is asked
 */
export async function sinceOption(
  value: string,
  cli: Pick<Cli, 'now' | 'askNow'>,
  option = '--since',
): Promise<string> {
  const instant = parseSince(value, cli.now(), option);
  return parseInstant(value) === null ? parseSince(value, await cli.askNow(), option) : instant;
}

/** Null before the first instant that a date can have. */
function agoInstant([, count, unit]: RegExpExecArray, now: number): string | null {
  const at = new Date(now - Number(count) * (UNIT_SECONDS[unit || 's'] ?? 1) * 1000);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
