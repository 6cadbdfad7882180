/** Describes for an event how fields of a configuration changed, without the values of credentials. */
import type { FieldChange } from '@dstack/contract/wire';
import { sameJson } from '../compare/same.ts';

/** Keys whose values are credentials, or may contain them. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  ...['env', 'registry_auth', 'password', 'private', 'private_key', 'secret', 'token'],
  ...['credentials', 'creds', 'authorization', 'headers'],
]);

/** Characters of JSON that a value may have in an event. */
const LONGEST_VALUE = 1000;

/** Per event. */
const MOST_CHANGES = 50;

/**
 * The values before and after of the named fields (paths with dots). Variables of `env` are named one by
 * one, without their values.
 */
export function fieldChanges(
  fields: readonly string[],
  before: object,
  after: object,
): readonly FieldChange[] {
  return fields
    .flatMap((field) => {
      const [old = null, now = null] = [before, after].map((whole) => valueAt(whole, field));
      if (field.split('.').at(-1) === 'env') return envChanges(field, old, now);
      return [fieldChange(field, old, now)];
    })
    .slice(0, MOST_CHANGES);
}

function valueAt(whole: object, path: string): unknown {
  let value: unknown = whole;
  for (const key of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return null;
    value = value[key];
  }
  return value ?? null;
}

function envChanges(field: string, before: unknown, after: unknown): FieldChange[] {
  const old = isObject(before) ? before : {};
  const now = isObject(after) ? after : {};
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  return names
    .filter((name) => !sameJson(old[name], now[name]))
    .map((name) => ({ field: `${field}.${name}`, hidden: 'secret' }));
}

function fieldChange(field: string, before: unknown, after: unknown): FieldChange {
  const isSecret = SECRET_KEYS.has(field.split('.').at(-1) ?? '');
  if (isSecret || mayHoldSecret(before) || mayHoldSecret(after)) return { field, hidden: 'secret' };
  if (isLong(before) || isLong(after)) return { field, hidden: 'size' };
  return { field, before, after };
}

const isLong = (value: unknown): boolean => JSON.stringify(value).length > LONGEST_VALUE;

function mayHoldSecret(value: unknown): boolean {
  if (typeof value === 'string') return hasUserInfo(value);
  if (Array.isArray(value)) return value.some(mayHoldSecret);
  if (!isObject(value)) return false;
  return Object.entries(value).some(
    ([key, part]) => (SECRET_KEYS.has(key) && !isEmpty(part)) || mayHoldSecret(part),
  );
}

/** `https://name:password@host` */
function hasUserInfo(text: string): boolean {
  if (!text.includes('://') || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username !== '' || password !== '';
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || (isObject(value) && Object.keys(value).length === 0);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
