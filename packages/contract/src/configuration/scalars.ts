import type * as z from 'zod';
import { MAX_PATH, parsePlainText } from '../grammar/line-text.ts';
import { isAnyNumber, numberText, toNumber } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { parseWholeNumber } from '../grammar/range.ts';
import type { JsonSchema } from './json-form.ts';
import { type Reader, reader } from './schema-kit.ts';

/** Text of a string or a number; a boolean, date, null or collection is refused. */
export function readString(value: unknown): string | Problem {
  if (typeof value === 'string') return value;
  if (isAnyNumber(value)) return numberText(value);
  return new Problem(`must be a string, got ${quote(value)}${quoteHint(value)}`, {
    type: 'string_type',
  });
}

function quoteHint(value: unknown): string {
  if (typeof value === 'boolean') {
    return ' (YAML reads on, off, yes, no, true and false as booleans: put the word in quotes as it is)';
  }
  if (value instanceof Date) return ' (put it in quotes)';
  const isMap = quote(value) === 'a map' && Object.keys(value as object).length === 1;
  return isMap
    ? " (YAML reads text with ': ' in it as a map; quote it, or write it below `|`)"
    : '';
}

export interface StringLimits {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  /** Describes the pattern, to complete "must be …". */
  readonly meaning?: string;
}

/** A string with optional limits; numbers become their text. */
export function string(limits: StringLimits = {}): Reader<string> {
  const json: JsonSchema = { type: 'string' };
  if (limits.min !== undefined) json.minLength = limits.min;
  if (limits.max !== undefined) json.maxLength = limits.max;
  if (limits.pattern) json.pattern = limits.pattern.source.replaceAll('\\/', '/');
  return reader((value) => {
    const text = readString(value);
    return text instanceof Problem ? text : (checkString(text, limits) ?? text);
  }, json);
}

function checkString(text: string, limits: StringLimits): Problem | undefined {
  const { min, max, pattern } = limits;
  if (min !== undefined && text.length < min) {
    const message = min === 1 ? 'must not be empty' : `must have ${min} characters or more`;
    return new Problem(message, { type: 'string_too_short', ctx: { min_length: min } });
  }
  if (max !== undefined && text.length > max) {
    return new Problem(`must have ${max} characters at most, has ${text.length}`, {
      type: 'string_too_long',
      ctx: { max_length: max },
    });
  }
  if (pattern && !pattern.test(text)) {
    const meaning = limits.meaning ?? `text that matches ${pattern.source}`;
    return new Problem(`must be ${meaning}, got ${quote(text)}`, {
      type: 'string_pattern_mismatch',
      ctx: { pattern: pattern.source },
    });
  }
  return undefined;
}

/** A string that a grammar parses; numbers become their text first. */
export function stringBy(read: (text: string) => string | Problem): Reader<string> {
  return reader(
    (value) => {
      const text = readString(value);
      return text instanceof Problem ? text : read(text);
    },
    { type: 'string' },
  );
}

/** A path on any computer: one line, at most as long as Linux allows. */
export const path: () => Reader<string> = () => stringBy((text) => parsePlainText(text, MAX_PATH));

export interface NumberLimits {
  readonly gt?: number;
  readonly ge?: number;
  readonly le?: number;
}

/** A whole number; `true` is 1, `2.0` and `"2"` are 2. */
export function readInt(value: unknown): number | Problem {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (isAnyNumber(value)) {
    const number = toNumber(value);
    if (Number.isSafeInteger(number)) return number;
    if (Number.isInteger(number)) {
      const got = numberText(value).slice(0, 40);
      return new Problem(`must be a whole number below 2^53, got ${got}`, {
        type: 'int_parsing_size',
      });
    }
    const type = Number.isFinite(number) ? 'int_from_float' : 'finite_number';
    return new Problem(`must be a whole number, got ${numberText(value)}`, { type });
  }
  if (typeof value === 'string') return parseWholeNumber(value);
  return new Problem(`must be a whole number, got ${quote(value)}`, { type: 'int_type' });
}

export function int(limits: NumberLimits = {}): Reader<number> {
  return reader((value) => limited(readInt(value), limits), {
    type: 'integer',
    ...jsonLimits(limits),
  });
}

const FLOAT_TEXT =
  /^\s*[+-]?(?:(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)\s*$/i;

export function readFloat(value: unknown): number | Problem {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (isAnyNumber(value)) return toNumber(value);
  const expected = `must be a number, got ${quote(value)}`;
  if (typeof value !== 'string') return new Problem(expected, { type: 'float_type' });
  if (!FLOAT_TEXT.test(value)) return new Problem(expected, { type: 'float_parsing' });
  const text = value.trim().toLowerCase().replaceAll('_', '');
  if (text.endsWith('nan')) return Number.NaN;
  if (text.includes('inf')) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

export function float(limits: NumberLimits = {}): Reader<number> {
  return reader((value) => limited(readFloat(value), limits), {
    type: 'number',
    ...jsonLimits(limits),
  });
}

/** Checks the limits of a number; the kinds of failure are named as in the API. */
export function limited(value: number | Problem, limits: NumberLimits): number | Problem {
  if (value instanceof Problem) return value;
  const { gt, ge, le } = limits;
  if (gt !== undefined && !(value > gt)) {
    return new Problem(`must be greater than ${gt}, got ${value}`, {
      type: 'greater_than',
      ctx: { gt },
    });
  }
  if (ge !== undefined && !(value >= ge)) {
    return new Problem(`must be ${ge} or more, got ${value}`, {
      type: 'greater_than_equal',
      ctx: { ge },
    });
  }
  if (le !== undefined && !(value <= le)) {
    return new Problem(`must be ${le} or less, got ${value}`, {
      type: 'less_than_equal',
      ctx: { le },
    });
  }
  return value;
}

function jsonLimits(limits: NumberLimits): JsonSchema {
  const json: JsonSchema = {};
  if (limits.gt !== undefined) json.exclusiveMinimum = limits.gt;
  if (limits.ge !== undefined) json.minimum = limits.ge;
  if (limits.le !== undefined) json.maximum = limits.le;
  return json;
}

const TRUE_WORDS = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE_WORDS = new Set(['false', 'f', 'no', 'n', 'off', '0']);

export function readBool(value: unknown): boolean | Problem {
  if (typeof value === 'boolean') return value;
  if (isAnyNumber(value) && (toNumber(value) === 0 || toNumber(value) === 1))
    return toNumber(value) === 1;
  if (typeof value === 'string') {
    const word = value.toLowerCase();
    if (TRUE_WORDS.has(word)) return true;
    if (FALSE_WORDS.has(word)) return false;
  }
  const type = typeof value === 'string' || isAnyNumber(value) ? 'bool_parsing' : 'bool_type';
  return new Problem(`must be true or false, got ${quote(value)}`, { type });
}

export function bool(): Reader<boolean> {
  return reader(readBool, { type: 'boolean' });
}

/** Null means "not set", like omitting the key. */
export function optional<S extends z.ZodType>(schema: S): z.ZodDefault<z.ZodNullable<S>> {
  return schema.nullable().default(null as never);
}

/** A key that dstack 0.22.5 does not have: left out of answers unless it is set. */
export function ours<T>(schema: Reader<T>): z.ZodOptional<z.ZodNullable<Reader<T>>> {
  return schema.nullable().optional();
}
