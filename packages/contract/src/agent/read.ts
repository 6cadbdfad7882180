/**
 * Readers for the messages of the agent protocol. Either side may be newer than the other: unknown
 * keys are dropped, and a key that may be null may also be missing. A value of the wrong type is
 * refused with its path, so code behind the readers does not check again.
 */

/** Thrown for a message of the wrong form; its text names the path, never the value. */
export class Malformed extends Error {
  override name = 'Malformed';

  constructor(path: string, problem: string) {
    super(`${path === '' ? 'the message' : path} ${problem}`);
  }
}

export type Read<T> = (value: unknown, path: string) => T;

/** The default limit of a text, in characters. */
const TEXT = 64 * 1024;
/** The default limit of a list or map, in elements. */
const LENGTH = 10_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Any text without NUL, which neither program arguments nor PostgreSQL can hold. */
export function text(max: number = TEXT): Read<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw new Malformed(path, 'is not a string');
    if (value.length > max) throw new Malformed(path, `is longer than ${max} characters`);
    if (value.includes('\0')) throw new Malformed(path, 'contains a NUL character');
    return value;
  };
}

/** One line. */
export function line(max: number = 4096): Read<string> {
  const read = text(max);
  return (value, path) => {
    if (/\p{Cc}/u.test(read(value, path))) throw new Malformed(path, 'contains control characters');
    return value as string;
  };
}

/**
 * Text for people, such as an error message. It is cut and cleaned instead of refused, because it
 * may be the only description of what went wrong.
 */
export function words(max: number = 4096): Read<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw new Malformed(path, 'is not a string');
    return value.slice(0, max).replaceAll(/[^\P{Cc}\n\t]/gu, ' ');
  };
}

export const uuid: Read<string> = (value, path) => {
  if (typeof value === 'string' && UUID.test(value)) return value;
  throw new Malformed(path, 'is not a UUID');
};

export const flag: Read<boolean> = (value, path) => {
  if (typeof value === 'boolean') return value;
  throw new Malformed(path, 'is not a boolean');
};

/** A whole number from `min` to `max`. */
export function whole(max: number = Number.MAX_SAFE_INTEGER, min = 0): Read<number> {
  return (value, path) => {
    if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) {
      return Number(value);
    }
    throw new Malformed(path, `is not a whole number from ${min} to ${max}`);
  };
}

/** A number that is not negative. */
export const amount: Read<number> = (value, path) => {
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  throw new Malformed(path, 'is not a number of at least 0');
};

/** A number that is not negative, rounded to an integer. */
export const rounded: Read<number> = (value, path) => {
  const number = Math.round(amount(value, path));
  if (Number.isSafeInteger(number)) return number;
  throw new Malformed(path, 'is too large');
};

export function oneOf<const T extends string>(...known: readonly T[]): Read<T> {
  return (value, path) => {
    const found = known.find((each) => each === value);
    if (found !== undefined) return found;
    throw new Malformed(path, `is not one of ${known.join(', ')}`);
  };
}

/** A missing value is read as null. */
export function nullable<T>(read: Read<T>): Read<T | null> {
  return (value, path) => (value === null || value === undefined ? null : read(value, path));
}

export function list<T>(read: Read<T>, max: number = LENGTH): Read<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Malformed(path, 'is not a list');
    if (value.length > max) throw new Malformed(path, `has more than ${max} elements`);
    return value.map((item, index) => read(item, `${path}[${index}]`));
  };
}

export function mapOf<T>(
  readKey: Read<string>,
  read: Read<T>,
  max: number = LENGTH,
): Read<Readonly<Record<string, T>>> {
  return (value, path) => {
    const entries = Object.entries(objectAt(value, path));
    if (entries.length > max) throw new Malformed(path, `has more than ${max} entries`);
    return Object.fromEntries(
      entries.map(([key, item]) => [
        readKey(key, `a key of ${path}`),
        read(item, `${path}.${key}`),
      ]),
    );
  };
}

export function object<T>(fields: { readonly [K in keyof T]-?: Read<T[K]> }): Read<T> {
  const readers = Object.entries(fields) as [string, Read<unknown>][];
  return (value, path) => {
    const given = objectAt(value, path);
    const prefix = path === '' ? '' : `${path}.`;
    return Object.fromEntries(
      readers.map(([key, read]) => [key, read(given[key], `${prefix}${key}`)]),
    ) as T;
  };
}

/** Selects the reader by `type`; null for an unknown type. */
export function byType<T extends { readonly type: string }>(
  readers: {
    readonly [K in T['type']]: Read<Omit<Extract<T, { readonly type: K }>, 'type'>>;
  },
): Read<T | null> {
  const known = new Map(Object.entries(readers) as [string, Read<object>][]);
  return (value, path) => {
    const { type } = objectAt(value, path);
    if (typeof type !== 'string') throw new Malformed('type', 'is not a string');
    const read = known.get(type);
    return read ? ({ type, ...read(value, path) } as T) : null;
  };
}

function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new Malformed(path, 'is not an object');
}
