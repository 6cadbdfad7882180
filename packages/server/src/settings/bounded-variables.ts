/** Variables that may not be above a bound. Each function throws `SettingsError`. */
import { integerVariable, type ProcessEnv, SettingsError } from '@dstack/contract';

export function atMost(most: number, env: ProcessEnv, name: string, fallback: number): number {
  const value = integerVariable(env, name, fallback);
  if (value <= most) return value;
  throw new SettingsError(`${name} is ${value}; it may be at most ${most}`);
}

export const DAY_SECONDS = 86_400;

/** Accepts at most a day. */
export function seconds(env: ProcessEnv, name: string, fallback: number): number {
  const value = integerVariable(env, name, fallback);
  if (value <= DAY_SECONDS) return value;
  throw new SettingsError(`${name} is ${value}; it may be at most ${DAY_SECONDS} seconds`);
}
