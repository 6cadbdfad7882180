import { CliError, UsageError } from '../errors.ts';

/** A value, or the name of the caller's variable with the value. */
export type EnvValue = string | { readonly key: string };

const PATTERN = /^([a-zA-Z_][a-zA-Z0-9_]*)(?:=([\s\S]*))?$/;

/**
 * The environment of a run with all values: those of the configuration, overridden by `-e` flags
 * (`KEY=VALUE`, or `KEY` for the caller's own value).
 */
export function resolveEnv(
  configured: Readonly<Record<string, EnvValue>>,
  flags: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const all: Record<string, EnvValue> = { ...configured };
  for (const flag of flags) {
    const match = PATTERN.exec(flag);
    if (match === null) {
      throw new UsageError(`Cannot read --env "${flag}"`, { why: 'expected KEY=VALUE or KEY' });
    }
    const [, key = '', value] = match;
    all[key] = value ?? { key };
  }
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) {
    resolved[name] = typeof value === 'string' ? value : lookUp(value.key, env);
  }
  return resolved;
}

function lookUp(key: string, env: Readonly<Record<string, string | undefined>>): string {
  const value = env[key];
  if (value !== undefined) return value;
  throw new CliError(`Environment variable ${key} is not set`, {
    why: 'the configuration takes its value from your environment',
    next: `export ${key}=…, or pass -e ${key}=VALUE`,
  });
}
