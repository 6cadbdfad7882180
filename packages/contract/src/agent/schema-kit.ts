/**
 * Building blocks of the schemas of the agent protocol. Either side may be newer than the other: unknown
 * keys are dropped, and a key that may be null may also be missing. An error text completes a sentence
 * that begins with the place of the value. `zod/mini`, because the agent is copied to hosts and a
 * bundler leaves out what it does not use.
 */
import * as z from 'zod/mini';
import { Problem } from '../grammar/problem.ts';

export type MessageSchema = z.core.$ZodType;

/** The result of a schema. Parsed messages are never changed. */
export type Infer<S extends MessageSchema> = DeepReadonly<z.infer<S>>;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The default limit of a text, in characters. */
const TEXT = 64 * 1024;
/** The default limit of a list or map, in elements. */
const LENGTH = 10_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An object with at least these keys. */
export function object<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.object(shape, 'is not an object');
}

type Frame = z.core.$ZodTypeDiscriminable;

/** Frames, distinguished by the literal under `type`. */
export function byType<const Frames extends readonly [Frame, ...Frame[]]>(...frames: Frames) {
  return z.discriminatedUnion('type', frames, 'is not an object');
}

export const frame = <const Type extends string, const Shape extends z.core.$ZodLooseShape>(
  type: Type,
  shape: Shape,
) => object({ type: z.literal(type), ...shape });

/** Any text without NUL, which neither program arguments nor PostgreSQL can hold. */
export function text(max: number = TEXT) {
  return bounded(max).check(z.refine((value) => !value.includes('\0'), 'contains a NUL character'));
}

/** One line. */
export function line(max: number = 4096) {
  return bounded(max).check(
    z.refine((value) => !/\p{Cc}/u.test(value), 'contains control characters'),
  );
}

/** One line that a grammar reads. */
export function lineBy(parse: (text: string) => string | Problem) {
  return line().check(
    z.check((payload) => {
      const result = parse(payload.value);
      if (result instanceof Problem) {
        payload.issues.push({ code: 'custom', input: payload.value, message: result.message });
      } else {
        payload.value = result;
      }
    }),
  );
}

export function textLike(form: RegExp, problem: string) {
  return z.string(problem).check(z.regex(form, problem));
}

/**
 * Text for people, such as an error message. It is cut and cleaned instead of refused, because it
 * may be the only description of what went wrong.
 */
export function messageText(max: number = 4096) {
  return z
    .string('is not a string')
    .check(z.overwrite((value) => value.slice(0, max).replaceAll(/[^\P{Cc}\n\t]/gu, ' ')));
}

export const uuid = textLike(UUID, 'is not a UUID');

export const flag = z.boolean('is not a boolean');

/** A whole number from `min` to `max`. */
export function whole(max: number = Number.MAX_SAFE_INTEGER, min = 0) {
  const problem = `is not a whole number from ${min} to ${max}`;
  return z.int(problem).check(z.minimum(min, problem), z.maximum(max, problem));
}

/** A number that is not negative. */
export const amount = z
  .number('is not a number of at least 0')
  .check(z.nonnegative('is not a number of at least 0'));

/** A number that is not negative, rounded to an integer. */
export const rounded = amount.check(
  z.overwrite(Math.round),
  z.refine(Number.isSafeInteger, 'is too large'),
);

export function oneOf<const T extends string>(...known: readonly T[]) {
  return z.enum(known, `is not one of ${known.join(', ')}`);
}

/** A missing value is read as null. */
export function nullable<S extends z.core.$ZodType>(schema: S) {
  return z._default(z.nullable(schema), null);
}

/** A key that senders may leave out, and readers may not rely on. */
export function optional<S extends z.core.$ZodType>(schema: S) {
  return z.optional(z.nullable(schema));
}

export function list<S extends z.core.$ZodType>(element: S, max: number = LENGTH) {
  return z.array(element, 'is not a list').check(z.maxLength(max, `has more than ${max} elements`));
}

/** A list that older senders leave out. */
export function listOrEmpty<S extends z.core.$ZodType>(element: S, max?: number) {
  return z.pipe(
    nullable(list(element, max)),
    z.transform((found) => found ?? []),
  );
}

/** Its size is checked before its entries, since zod collects the problems of all entries. */
export function mapOf<K extends z.core.$ZodRecordKey, S extends z.core.$ZodType>(
  key: K,
  value: S,
  max: number = LENGTH,
) {
  const small = z
    .custom<Record<string, unknown>>(isMap, { error: 'is not an object', abort: true })
    .check(z.refine((map) => Object.keys(map).length <= max, `has more than ${max} entries`));
  return z.pipe(small, z.record(key, value));
}

function bounded(max: number) {
  return z
    .string('is not a string')
    .check(z.maxLength(max, { error: `is longer than ${max} characters`, abort: true }));
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
