/** Settings that programs read from environment variables. */
import { parseDuration } from './grammar/index.ts';
import { Problem } from './grammar/problem.ts';

export type ProcessEnv = Readonly<Record<string, string | undefined>>;

/** A variable has an invalid value; the message names it and the valid values. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** Any value, even an empty one, sets a flag. */
export function isSet(env: ProcessEnv, name: string): boolean {
  return env[name] !== undefined;
}

export function integerVariable(env: ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  if (!/^\d+$/.test(text.trim())) {
    throw new SettingsError(`${name} is ${JSON.stringify(text)}; it must be a whole number`);
  }
  return Number(text);
}

export function choiceVariable<T extends string>(
  env: ProcessEnv,
  name: string,
  values: readonly [T, ...T[]],
): T {
  const text = env[name];
  if (!text) return values[0];
  const found = values.find((value) => value === text);
  if (!found)
    throw new SettingsError(`${name} is ${JSON.stringify(text)}; it may be ${values.join(', ')}`);
  return found;
}

/** Seconds of a duration such as `2h`; null for `off`. */
export function durationOrOff(
  env: ProcessEnv,
  name: string,
  { fallback, least }: { readonly fallback: number; readonly least: number },
): number | null {
  const text = env[name];
  if (!text) return fallback;
  if (text === 'off') return null;
  const seconds = parseDuration(text);
  if (!(seconds instanceof Problem) && seconds >= least) return seconds;
  const allowed = `a duration of at least ${least} seconds, like 90s, 10m or 2h, or off`;
  throw new SettingsError(`${name} is ${JSON.stringify(text)}; it must be ${allowed}`);
}
