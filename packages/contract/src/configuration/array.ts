/** Many runs of one task, each with an index of its own. Ours: dstack 0.22.5 has no such key. */
import * as z from 'zod';
import { isAnyNumber } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import {
  ARRAY_KEY,
  arraySize,
  MOST_MEMBERS,
  parseIndexes,
  RESERVED_KEYS,
  variableName,
} from './array-members.ts';
import { firstDuplicate, withRules } from './rules.ts';
import { int, ours, readString, string } from './scalars.ts';
import { closed, isMap, named, type Reader, reader, shorthand } from './schema-kit.ts';

/** How many members may be in the queue or run at a time by default. */
export const DEFAULT_MAX_PARALLEL = 1000;

const VALUE_JSON = { anyOf: [{ type: 'string' }, { type: 'number' }] };

/** A value of each member: one text, or texts by key. */
type ArrayEntry = string | Readonly<Record<string, string>>;

const ArrayEntry: Reader<ArrayEntry> = reader<ArrayEntry>(
  (value) => (isMap(value) ? readEntry(value) : readString(value)),
  { anyOf: [...VALUE_JSON.anyOf, { type: 'object', additionalProperties: VALUE_JSON }] },
);

function readEntry(map: Record<string, unknown>): Readonly<Record<string, string>> | Problem {
  const entry: [string, string][] = [];
  for (const [key, value] of Object.entries(map)) {
    const text = readString(value);
    if (text instanceof Problem) return ofKey(key, text, [key]);
    entry.push([key, text]);
  }
  return Object.fromEntries(entry);
}

function ofKey(key: string, { message, type }: Problem, at: readonly PropertyKey[]): Problem {
  return new Problem(`has an invalid value for ${key}: it ${message}`, { type, at });
}

type Matrix = Readonly<Record<string, readonly string[]>>;

const Matrix: Reader<Matrix> = reader<Matrix>(readMatrix, {
  type: 'object',
  additionalProperties: { type: 'array', items: VALUE_JSON, minItems: 1 },
});

function readMatrix(value: unknown): Matrix | Problem {
  if (!isMap(value) || Object.keys(value).length === 0) {
    return new Problem(`must be a map of keys and lists of values, got ${quote(value)}`);
  }
  const matrix: [string, readonly string[]][] = [];
  for (const [key, list] of Object.entries(value)) {
    if (!Array.isArray(list) || list.length === 0) {
      const got = Array.isArray(list) ? 'an empty list' : quote(list);
      return new Problem(`must have a list of values for ${key}, got ${got}`, { at: [key] });
    }
    const texts: string[] = [];
    for (const [position, item] of list.entries()) {
      const text = readString(item);
      if (text instanceof Problem) return ofKey(key, text, [key, position]);
      texts.push(text);
    }
    matrix.push([key, texts]);
  }
  return Object.fromEntries(matrix);
}

const ArrayModel = named(
  'TaskArray',
  withRules(
    closed({
      count: ours(int({ ge: 1, le: MOST_MEMBERS })),
      values: ours(z.array(ArrayEntry).min(1)),
      matrix: ours(Matrix),
      indexes: ours(string()),
      max_parallel: int({ ge: 1, le: MOST_MEMBERS }).default(DEFAULT_MAX_PARALLEL),
      max_failures: int({ ge: 0 }).default(0),
    }),
    (array, broken) => {
      const given = (['count', 'values', 'matrix'] as const).filter((key) => array[key] != null);
      if (given.length !== 1) {
        const has = given.length === 0 ? 'has none' : `has ${given.join(' and ')}`;
        broken(['count', 'values', 'matrix'], `needs one of count, values and matrix, ${has}`);
        return;
      }
      const [key = 'count'] = given;
      const problem = keysProblem(array);
      if (problem !== null) broken([key], problem, [key]);
      const size = arraySize(array);
      if (size > MOST_MEMBERS) {
        broken([key], `may have ${MOST_MEMBERS} members at most, has ${size}`, [key]);
      } else if (array.indexes != null) {
        const indexes = parseIndexes(array.indexes, size);
        if (indexes instanceof Problem) broken(['indexes', key], indexes.message, ['indexes']);
      }
    },
  ),
);

/** `20` or `{count | values | matrix, indexes, max_parallel, max_failures}`. */
export const TaskArray = shorthand(
  ArrayModel,
  (value) => (isAnyNumber(value) ? { count: value } : value),
  (ref) => ({ anyOf: [ref(ArrayModel), { type: 'integer', minimum: 1, maximum: MOST_MEMBERS }] }),
);
export type TaskArray = z.infer<typeof ArrayModel>;

/** Why the keys of the members are not usable, to complete a sentence that begins with `values` or `matrix`. */
function keysProblem({ values, matrix }: Pick<TaskArray, 'values' | 'matrix'>): string | null {
  const keys = matrix == null ? keysOfValues(values ?? []) : Object.keys(matrix);
  if (typeof keys === 'string') return keys;
  const wrong = keys.find((key) => !ARRAY_KEY.test(key));
  if (wrong !== undefined) {
    return `has the key ${quote(wrong)}: use letters, digits and _ only, and begin with a letter`;
  }
  const reserved = keys.find((key) => RESERVED_KEYS.includes(key.toLowerCase()));
  if (reserved !== undefined) {
    return `cannot have the key ${reserved}: every member has array.${reserved.toLowerCase()} already`;
  }
  const twice = firstDuplicate(keys.map(variableName));
  return twice === undefined ? null : `has two keys for the variable ${twice}`;
}

function keysOfValues(values: readonly ArrayEntry[]): string[] | string {
  const [first] = values;
  if (typeof first !== 'object') {
    const other = values.findIndex((value) => typeof value === 'object');
    return other === -1 ? [] : `must have texts only or maps only, has a map at ${other}`;
  }
  const keys = Object.keys(first);
  const other = values.findIndex(
    (value) =>
      typeof value !== 'object' ||
      Object.keys(value).length !== keys.length ||
      keys.some((key) => !Object.hasOwn(value, key)),
  );
  return other === -1
    ? keys
    : `must have the same keys in each map (${keys.join(', ')}), has others at ${other}`;
}
