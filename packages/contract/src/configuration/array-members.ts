/**
 * The members of an array: which indexes it has, and the values of each. Pure; server, command line and
 * UI compute them from the configuration.
 */
import { placeholders, replacePlaceholders } from '../grammar/placeholders.ts';
import { Problem, quote } from '../grammar/problem.ts';

/** The most members of one array. */
export const MOST_MEMBERS = 10_000;

/** Names of the values of members. */
export const ARRAY_KEY = /^[a-zA-Z][a-zA-Z0-9_]*$/;

/** Values that every member has. */
export const RESERVED_KEYS: readonly string[] = ['index', 'count'];

/** The key of the values of a plain list. */
const PLAIN_KEY = 'value';

/** The keys of the configuration that decide which members there are. */
export interface ArrayShape {
  readonly count?: number | null | undefined;
  readonly values?: readonly (string | Readonly<Record<string, string>>)[] | null | undefined;
  readonly matrix?: Readonly<Record<string, readonly string[]>> | null | undefined;
  /** Only these members run, as `0,3-7`; unset = all. */
  readonly indexes?: string | null | undefined;
}

/** The number of indexes, of which the first is 0. */
export function arraySize({ count, values, matrix }: ArrayShape): number {
  if (count != null) return count;
  if (values != null) return values.length;
  return Object.values(matrix ?? {}).reduce((size, list) => size * list.length, 1);
}

/** The indexes that run, rising. */
export function arrayIndexes(array: ArrayShape): readonly number[] {
  const size = arraySize(array);
  const chosen = array.indexes == null ? null : parseIndexes(array.indexes, size);
  if (chosen === null || chosen instanceof Problem)
    return Array.from({ length: size }, (_, i) => i);
  return chosen;
}

const INDEX_RANGE = /^(\d{1,6})(?:-(\d{1,6}))?$/;

/** Reads `0,3-7`: rising, and below `size`. */
export function parseIndexes(text: string, size: number): readonly number[] | Problem {
  const indexes: number[] = [];
  for (const part of text.split(',')) {
    const match = INDEX_RANGE.exec(part.trim());
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || to < from) {
      return new Problem(`must be indexes and ranges such as 0,3-7, has ${quote(part.trim())}`);
    }
    if (from <= (indexes.at(-1) ?? -1)) return new Problem(`must rise, has ${part.trim()} late`);
    if (to >= size) return new Problem(`must be below ${size}, has ${to}`);
    for (let index = from; index <= to; index++) indexes.push(index);
  }
  return indexes;
}

/** The text that `parseIndexes` reads. `indexes`: rising. */
export function formatIndexes(indexes: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** The values of one member by key, `index` and `count` first. The last key of a matrix changes fastest. */
export function memberValues(array: ArrayShape, index: number): Readonly<Record<string, string>> {
  const common = { index: String(index), count: String(arraySize(array)) };
  if (array.values != null) {
    const value = array.values[index];
    return { ...common, ...(typeof value === 'object' ? value : { [PLAIN_KEY]: value ?? '' }) };
  }
  const own: [string, string][] = [];
  let rest = index;
  for (const [key, list] of Object.entries(array.matrix ?? {}).reverse()) {
    own.unshift([key, list[rest % list.length] ?? '']);
    rest = Math.floor(rest / list.length);
  }
  return { ...common, ...Object.fromEntries(own) };
}

/** `DSTACK_ARRAY_INDEX`, `DSTACK_ARRAY_COUNT`, and one for each key. */
export const variableName = (key: string): string => `DSTACK_ARRAY_${key.toUpperCase()}`;

/** Name of the run of one member. */
export const memberName = (array: string, index: number): string => `${array}-${index}`;

const MEMBER_NAME = /^(.+)-(0|[1-9]\d{0,5})$/;

/** The array that a run of this name would be a member of; null = none, since it ends in no index. */
export function parseMemberName(name: string): { array: string; index: number } | null {
  const [, array, index] = MEMBER_NAME.exec(name) ?? [];
  return array === undefined ? null : { array, index: Number(index) };
}

/** The key of `${{ array.key }}`; null = another placeholder. */
function arrayKey(inner: string): string | null {
  const [namespace, ...rest] = inner.trim().split('.');
  return namespace?.trim() === 'array' ? rest.join('.').trim() : null;
}

/** Keys whose texts are those of the whole array. */
const WHOLE: readonly string[] = ['type', 'name', 'array', 'depends_on'];

/** The configuration with each `${{ array.key }}` replaced; `$${{ array.key }}` loses a dollar. */
export function interpolateMember<T extends object>(
  configuration: T,
  values: Readonly<Record<string, string>>,
): T {
  const filled = Object.entries(configuration).map(([key, value]): [string, unknown] => [
    key,
    WHOLE.includes(key) ? value : mapTexts(value, (text) => fillText(text, values)),
  ]);
  return Object.fromEntries(filled) as T;
}

const fillText = (text: string, values: Readonly<Record<string, string>>): string =>
  replacePlaceholders(text, ({ text: written, inner, isEscaped }) => {
    const key = arrayKey(inner);
    if (key === null) return written;
    return isEscaped ? written.slice(1) : (values[key] ?? written);
  });

/** The recursion is bounded: configurations are as deep as their schema. */
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)]),
  );
}

export interface UnknownValue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The first `${{ array.key }}` of a configuration without such a value; null = all have one. */
export function unknownValue(configuration: object, array: ArrayShape): UnknownValue | null {
  const known = Object.keys(memberValues(array, 0));
  for (const [key, value] of Object.entries(configuration)) {
    const found = WHOLE.includes(key) ? null : findUnknown(value, [key], known);
    if (found !== null) return found;
  }
  return null;
}

function findUnknown(
  value: unknown,
  path: readonly (string | number)[],
  known: readonly string[],
): UnknownValue | null {
  if (typeof value === 'string') {
    for (const { inner, isEscaped } of placeholders(value)) {
      const key = isEscaped ? null : arrayKey(inner);
      if (key === null || known.includes(key)) continue;
      const list = known.map((one) => `array.${one}`).join(', ');
      return { path, message: `uses array.${key}, which the array does not have: it has ${list}` };
    }
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const isList = Array.isArray(value);
  for (const [key, item] of Object.entries(value)) {
    const found = findUnknown(item, [...path, isList ? Number(key) : key], known);
    if (found !== null) return found;
  }
  return null;
}
