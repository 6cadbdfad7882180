/**
 * Building blocks of the API models. Every model is closed (unknown fields are refused, as the API
 * requires for requests). A nullable field may be omitted from input and is always present in
 * output. Scalars are as lenient as in dstack 0.22.5: numbers are accepted for strings, numeric
 * strings for numbers, `"yes"` for true.
 */
import * as z from 'zod';
import { describeJson } from '../configuration/json-form.ts';
import {
  bool,
  float,
  int,
  optional,
  path,
  readString,
  string,
  stringBy,
} from '../configuration/scalars.ts';
import { choice, closed, type Reader, reader } from '../configuration/schema-kit.ts';
import { parsePlainText } from '../grammar/line-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { parseTimestamp } from './timestamp.ts';

/** A closed object: an unknown field is an error. */
export function model<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return closed(shape);
}

/** May be null or omitted in input; then null in output. */
export const nullable = optional;

/**
 * The server's own answer, which clients send back to say what they have seen. Rules may have become
 * stricter since it was stored: what cannot be read counts as not seen, so that a resource with an
 * old setting can still be replaced.
 */
export function seen<S extends z.ZodType>(schema: S) {
  return nullable(schema).catch(null as never);
}

/** A list that may be omitted from input; then empty in output. */
export function listOf<S extends z.ZodType>(item: S) {
  return z.array(item).default(() => []);
}

/** One fixed value that distinguishes models. */
export function literal<const T extends string>(word: T): Reader<T> {
  return choice([word], 'literal_error');
}

/** One of several fixed values. */
export function choiceOf<const T extends string>(values: readonly T[]): Reader<T> {
  return choice(values);
}

/** A word of a list that grows: readers accept words that are not in their list. */
export function openChoiceOf(values: readonly string[]): Reader<string> {
  return describeJson(string(), {
    anyOf: [{ type: 'string', enum: [...values] }, { type: 'string' }],
  });
}

/** A string; a number is accepted as its decimal text. */
export const Text = string();

/** A string of a given form. */
export const text = string;

/** A string that a grammar parses. */
export const textBy = stringBy;

/** A name or a title: one line without control characters. */
export const PlainText = textBy((value) => parsePlainText(value));

/** A path on any computer: one line, at most as long as Linux allows. */
export const Path = path();

/** An integer; numeric strings are accepted. */
export const Integer = int();

/** An integer within bounds. */
export const integer = int;

/** A number written with a fraction (`8.0`); integers and numeric strings are accepted. */
export const Float = float();

/** A boolean; 0, 1 and the usual words are accepted. */
export const Flag = bool();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function readUuid(value: unknown, version: string | null): string | Problem {
  if (typeof value !== 'string') {
    return new Problem(`must be a UUID, got ${quote(value)}`, { type: 'uuid_type' });
  }
  const match = UUID.exec(canonicalUuid(value));
  if (match === null) {
    return new Problem(`must be a UUID, got ${quote(value)}`, { type: 'uuid_parsing' });
  }
  if (version !== null && match[1] !== version) {
    return new Problem(`must be a UUID of version ${version}, got ${quote(value)}`, {
      type: 'uuid_version',
      ctx: { expected_version: Number(version) },
    });
  }
  return match[0];
}

/** Lower case with hyphens; `urn:uuid:`, braces and a text without hyphens are accepted. */
function canonicalUuid(value: string): string {
  const bare = value
    .toLowerCase()
    .replace(/^urn:uuid:/, '')
    .replace(/^\{(.*)\}$/, '$1');
  return /^[0-9a-f]{32}$/.test(bare)
    ? bare.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    : bare;
}

/** A UUID of any version, lower case in output. */
export const Uuid: Reader<string> = reader((value) => readUuid(value, null), {
  type: 'string',
  format: 'uuid',
});

/** A UUID that clients only accept as version 4. */
export const Uuid4: Reader<string> = reader((value) => readUuid(value, '4'), {
  type: 'string',
  format: 'uuid4',
});

const DATE_TIME = { type: 'string', format: 'date-time' };

/** An instant as ISO 8601 text; kept as written. */
export const DateTime: Reader<string> = reader((value) => {
  const written = readString(value);
  if (written instanceof Problem || parseTimestamp(written) !== null) return written;
  return new Problem(`must be a date and time like '2026-01-31T12:00:00Z', got ${quote(value)}`, {
    type: 'datetime_from_date_parsing',
  });
}, DATE_TIME);

/** An instant in a request: ISO 8601 (naive means UTC) or Unix seconds; microseconds inside. */
export const Instant: Reader<number> = reader((value) => {
  const isScalar = typeof value === 'string' || typeof value === 'number';
  const instant = isScalar ? parseTimestamp(value) : null;
  if (instant !== null) return instant;
  return new Problem(`must be a date and time like '2026-01-31T12:00:00Z', got ${quote(value)}`, {
    type: isScalar ? 'datetime_from_date_parsing' : 'datetime_type',
  });
}, DATE_TIME);

/** A free JSON object. */
export const JsonObject = z.record(z.string(), z.unknown());
export type JsonObject = Record<string, unknown>;
