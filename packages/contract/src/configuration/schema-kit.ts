import * as z from 'zod';
import { nearest } from '../grammar/nearest.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { delegate, delegateWhole, reportIssue, tagElement } from './issue.ts';
import { describeJson, type JsonForm } from './json-form.ts';

/** A schema that reads loosely typed documents (strings for numbers and vice versa) into `T`. */
export type Reader<T> = z.ZodType<T, unknown>;

/**
 * A map with exactly these keys. Every unknown key is a finding of its own, with the probable key
 * as suggestion.
 */
export function closed<const Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape);
  const split = z.check<unknown>((payload) => {
    const found = payload.issues.findIndex(
      (issue) => issue.code === 'unrecognized_keys' && (issue.path ?? []).length === 0,
    );
    const [issue] = found === -1 ? [] : payload.issues.splice(found, 1);
    for (const key of (issue?.keys ?? []) as string[]) {
      reportIssue(payload, payload.value, unknownKey(key, known), [key]);
    }
  });
  split._zod.def.when = () => true;
  return z.strictObject(shape).check(split);
}

function unknownKey(key: string, known: readonly string[]): Problem {
  const suggestion = nearest(key, known);
  const list =
    known.length <= 12 && suggestion === undefined ? `; known are ${known.join(', ')}` : '';
  return new Problem(`is not a known key here${list}`, {
    type: 'extra_forbidden',
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

/** A value that is read by a function. `json`: its JSON Schema for editors. */
export function reader<T>(
  read: (value: unknown) => T | Problem,
  json: JsonForm,
  output: JsonForm = json,
): Reader<T> {
  const schema = z.unknown().transform((value, ctx): T => {
    if (value === undefined) return missing(ctx);
    const result = read(value);
    if (!(result instanceof Problem)) return result;
    reportIssue(ctx, value, result);
    return z.NEVER;
  });
  return describeJson(schema, json, output);
}

/** A model that has a short form: `expand` turns the short form into the model's own. */
export function shorthand<S extends z.ZodType>(
  model: S,
  expand: (value: unknown) => unknown,
  json: JsonForm,
): Reader<z.output<S>> {
  const schema = z.unknown().transform((value, ctx): z.output<S> => {
    if (value === undefined) return missing(ctx);
    const expanded = expand(value);
    if (expanded instanceof Problem) {
      reportIssue(ctx, value, expanded);
      return z.NEVER;
    }
    return delegate(ctx, model, expanded);
  });
  return describeJson(schema, json, (ref) => ref(model));
}

/** One of several forms; `choose` selects the schema by the value. */
export function oneOf<T>(
  choose: (value: unknown) => z.ZodType<T, unknown> | Problem,
  json: JsonForm,
  output: JsonForm = json,
): Reader<T> {
  const schema = z.unknown().transform((value, ctx): T => {
    if (value === undefined) return missing(ctx);
    const chosen = choose(value);
    if (chosen instanceof Problem) {
      reportIssue(ctx, value, chosen);
      return z.NEVER;
    }
    return delegateWhole(ctx, chosen, value);
  });
  return describeJson(schema, json, output);
}

type Branches = Readonly<Record<string, z.ZodType>>;

/**
 * Union of models distinguished by the text in `key`; the tag becomes part of the place of errors.
 */
export function tagged<B extends Branches>(
  key: string,
  branches: B,
  options: { readonly required?: 'missing' } = {},
): Reader<z.output<B[keyof B]>> {
  const tags = Object.keys(branches);
  const schema = z.unknown().transform((value, ctx): z.output<B[keyof B]> => {
    if (value === undefined) return missing(ctx);
    const tag = readTag(value, key, tags, options.required === 'missing');
    if (tag instanceof Problem) {
      reportIssue(ctx, value, tag, tag.type === 'missing' ? [key] : []);
      return z.NEVER;
    }
    return delegate(ctx, branches[tag] as z.ZodType, value, [tagElement(tag)]) as never;
  });
  return describeJson(schema, (ref) => ({
    oneOf: uniqueRefs([...new Set(Object.values(branches))].map(ref)),
    discriminator: {
      propertyName: key,
      mapping: Object.fromEntries(
        Object.entries(branches).flatMap(([tag, branch]) => {
          const target = ref(branch).$ref;
          return target === undefined ? [] : [[tag, target]];
        }),
      ),
    },
  }));
}

/** Two branches that are written in one form are one member of the union: `oneOf` asks for exactly one. */
function uniqueRefs<T extends { readonly $ref?: unknown }>(members: readonly T[]): readonly T[] {
  return members.filter(
    ({ $ref }, at) => $ref === undefined || members.findIndex((one) => one.$ref === $ref) === at,
  );
}

function readTag(value: unknown, key: string, tags: string[], missing: boolean): string | Problem {
  if (!isMap(value)) {
    return new Problem(`must be a map with the key '${key}', got ${quote(value)}`, {
      type: 'model_attributes_type',
    });
  }
  const list = tags.join(', ');
  const tag = value[key];
  if (tag === undefined) {
    if (missing) return new Problem(`is required: one of ${list}`, { type: 'missing' });
    return new Problem(`needs the key '${key}': one of ${list}`, {
      type: 'union_tag_not_found',
      ctx: { discriminator: `'${key}'` },
    });
  }
  if (typeof tag === 'string' && tags.includes(tag)) return tag;
  const suggestion = typeof tag === 'string' ? nearest(tag, tags) : undefined;
  return new Problem(`has an unknown ${key} ${quote(tag)}: must be one of ${list}`, {
    type: 'union_tag_invalid',
    at: [key],
    ctx: {
      discriminator: `'${key}'`,
      tag: typeof tag === 'string' ? tag : quote(tag),
      expected_tags: quoted(tags),
    },
    ...(suggestion === undefined ? {} : { suggestion }),
  });
}

function missing(ctx: z.RefinementCtx): never {
  reportIssue(ctx, undefined, new Problem('is required', { type: 'missing' }));
  return z.NEVER;
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

/** A plain map of a document (no list, date or other object). */
export function isMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The choice that a wrong word probably means, and a clause that explains it. */
export interface MeantChoice<T extends string> {
  readonly value: T;
  readonly why: string;
}

/**
 * A choice of exact words. `literal` if the API reports a wrong one as `literal_error`. `meant`: wrong words that are to
 * be expected.
 */
export function choice<const T extends string>(
  values: readonly T[],
  kind: 'enum' | 'literal_error' = 'enum',
  name?: string,
  meant: ReadonlyMap<unknown, MeantChoice<T>> = new Map(),
): Reader<T> {
  const known = new Set<string>(values);
  const expected = values.map((value) => `'${value}'`);
  const last =
    expected.length > 1
      ? `${expected.slice(0, -1).join(', ')} or ${expected.at(-1)}`
      : `${expected[0]}`;
  const schema = reader<T>(
    (value) => {
      if (typeof value === 'string' && known.has(value)) return value as T;
      const { value: right, why } = meant.get(value) ?? {};
      const suggestion = right ?? (typeof value === 'string' ? nearest(value, values) : undefined);
      const explained = why === undefined ? '' : `: ${why}`;
      return new Problem(
        `must be ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}, got ${quote(value)}${explained}`,
        {
          type: kind,
          ctx: { expected: last },
          ...(suggestion === undefined ? {} : { suggestion }),
        },
      );
    },
    values.length === 1
      ? { type: 'string', const: values[0] }
      : { type: 'string', enum: [...values] },
  );
  return name === undefined ? schema : named(name, schema);
}

const names = new WeakMap<z.core.$ZodType, string>();

/** Names a schema as a component of the API and as a definition of JSON Schemas. */
export function named<S extends z.ZodType>(name: string, schema: S): S {
  names.set(schema, name);
  return schema;
}

export function schemaName(schema: z.core.$ZodType): string | undefined {
  return names.get(schema);
}
