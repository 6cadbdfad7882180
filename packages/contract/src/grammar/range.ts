import { type AnyNumber, numberText } from './number-text.ts';
import { Problem, quote } from './problem.ts';

/** Bounds, both inclusive; null = open. */
export interface Range {
  readonly min: number | null;
  readonly max: number | null;
}

/** The two halves of a written range before they are parsed as numbers; null = omitted. */
export interface RangeParts {
  readonly min: string | null;
  readonly max: string | null;
}

/** Splits `a..b`, `a..`, `..b`; a text without `..` is both bounds. Blanks are ignored. */
export function splitRange(text: string): RangeParts | Problem {
  if (!text.includes('..')) return { min: text.trim(), max: text.trim() };
  const packed = text.replace(/\s+/g, '');
  const at = packed.indexOf('..');
  const parts = [packed.slice(0, at), packed.slice(at + 2)] as const;
  if (parts[1].includes('..')) {
    return new Problem(`must have one '..' only, like '1..4', got ${quote(text)}`);
  }
  return { min: parts[0] || null, max: parts[1] || null };
}

/** Checks the rules of every range: at least one bound, in the right order. */
export function checkRange(range: Range): Range | Problem {
  if (range.min === null && range.max === null) {
    return new Problem(
      "is an empty range: give a lower bound ('2..'), an upper one ('..8') or both",
    );
  }
  if (range.min !== null && range.max !== null && range.min > range.max) {
    return new Problem(
      `has its bounds in the wrong order: ${range.min} is greater than ${range.max}`,
    );
  }
  return range;
}

/** Parses a written range; `readBound` parses one half. */
export function parseRange(
  text: string,
  readBound: (text: string) => number | Problem,
): Range | Problem {
  const parts = splitRange(text);
  if (parts instanceof Problem) return parts;
  const min = parts.min === null ? null : readBound(parts.min);
  if (min instanceof Problem) return min;
  const max = parts.max === null ? null : readBound(parts.max);
  if (max instanceof Problem) return max;
  return checkRange({ min, max });
}

const WHOLE_NUMBER = /^\s*[+-]?\d+(?:_\d+)*(?:\.0+)?\s*$/;

/** Reads a whole number as written in a string: sign, blanks around, `1_000` and `2.0` are allowed. */
export function parseWholeNumber(text: string): number | Problem {
  if (!WHOLE_NUMBER.test(text)) {
    return new Problem(`must be a whole number, got ${quote(text)}`, { type: 'int_parsing' });
  }
  return Number(text.replaceAll('_', ''));
}

export function parseIntRange(text: string): Range | Problem {
  return parseRange(text, parseWholeNumber);
}

/** `2..4`, `2..`, `..4`, or the one value when both bounds are equal; `..` when both are open. */
export function formatRange(
  range: Range,
  formatBound: (value: number) => string = plainNumber,
): string {
  if (range.min !== null && range.min === range.max) return formatBound(range.min);
  const min = range.min === null ? '' : formatBound(range.min);
  const max = range.max === null ? '' : formatBound(range.max);
  return `${min}..${max}`;
}

function plainNumber(value: AnyNumber): string {
  return numberText(value);
}
