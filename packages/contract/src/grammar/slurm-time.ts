import { parseDuration } from './duration.ts';
import { Problem, quote } from './problem.ts';

/** Slurm's own forms: minutes, `minutes:seconds`, `hours:minutes:seconds`, `days-hours[:…]`. */
const SLURM_TIME = /^(?:\d{1,6}|(?:\d{1,4}-)?\d{1,6}(?::\d{1,2}){0,2}|UNLIMITED)$/;
const DURATION = /^\d+[ \t]*[smhdw]$/;
const DAY = 86_400;

/**
 * Reads a time limit of Slurm into Slurm's own form, or a duration as in other fields: `90` (minutes),
 * `12:00:00`, `2-00:00:00`, `UNLIMITED`, `12h` -> `12:00:00`, `2d` -> `2-00:00:00`.
 */
export function parseSlurmTime(text: string): string | Problem {
  if (SLURM_TIME.test(text)) return text;
  const seconds = DURATION.test(text) ? parseDuration(text) : null;
  if (typeof seconds === 'number' && seconds < 10_000 * DAY) return slurmTime(seconds);
  const forms = "'12h', or a time of Slurm like '90' (minutes), '12:00:00' or '2-00:00:00'";
  return new Problem(`must be a duration like ${forms}, got ${quote(text)}`);
}

function slurmTime(seconds: number): string {
  const days = Math.floor(seconds / DAY);
  const parts = [3600, 60, 1].map((unit) => Math.floor((seconds % DAY) / unit) % 60);
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return days > 0 ? `${days}-${clock}` : clock;
}
