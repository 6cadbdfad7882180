import { Problem, quote } from './problem.ts';
import { formatRange, parseRange, type Range } from './range.ts';

const MEMORY = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(mb|gb|tb)?$/;
const GIGABYTES_PER_UNIT = { mb: 1 / 1024, gb: 1, tb: 1024 } as const;

/** Reads an amount of memory or disk into gigabytes: `512MB`, `16 gb`, `1.5TB`; no unit = GB. */
export function parseMemory(text: string): number | Problem {
  const match = MEMORY.exec(text.replace(/\s+/g, '').toLowerCase());
  if (!match) {
    return new Problem(
      `must be an amount of memory like '512MB', '16GB' or '1.5TB', got ${quote(text)}`,
      { ...nearestUnit(text) },
    );
  }
  const unit = match[2] as keyof typeof GIGABYTES_PER_UNIT | undefined;
  return Number(match[1]) * GIGABYTES_PER_UNIT[unit ?? 'gb'];
}

/** `16GiB`, `16Gi`, `16G` are common elsewhere: suggests the accepted spelling. */
function nearestUnit(text: string): { suggestion?: string } {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([mgt])i?b?\s*$/i.exec(text);
  return match ? { suggestion: `${match[1]}${match[2]?.toUpperCase()}B` } : {};
}

export function parseMemoryRange(text: string): Range | Problem {
  return parseRange(text, parseMemory);
}

/** Gigabytes in the shortest exact spelling: `512MB`, `16GB`, `1.5GB`; whole terabytes as `1TB`. */
export function formatMemory(gigabytes: number): string {
  const unit = (value: number, name: string) => `${decimalText(value)}${name}`;
  if (gigabytes !== 0 && gigabytes % 1024 === 0) return unit(gigabytes / 1024, 'TB');
  const megabytes = gigabytes * 1024;
  if (Math.abs(gigabytes) < 1 && gigabytes !== 0 && Number.isInteger(megabytes)) {
    return unit(megabytes, 'MB');
  }
  return unit(gigabytes, 'GB');
}

/** A number without exponent where JavaScript would use one for a short decimal. */
function decimalText(value: number): string {
  return value.toString();
}

/** Range of gigabytes as shown in tables: `8GB..`, `40GB..80GB`, `24GB`. */
export function formatMemoryRange(range: Range): string {
  return formatRange(range, formatGigabytes);
}

/** Gigabytes as shown in tables, never in another unit: `192GB`, `0.5GB`. */
export function formatGigabytes(gigabytes: number): string {
  return `${decimalText(gigabytes)}GB`;
}

/** Mebibytes of an offer or an instance, one decimal at most: 196608 -> `192GB`, 512 -> `0.5GB`. */
export function formatMebibytes(mebibytes: number): string {
  return `${Math.round((mebibytes / 1024) * 10) / 10}GB`;
}
