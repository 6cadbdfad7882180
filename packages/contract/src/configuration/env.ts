import type * as z from 'zod';
import { ENV_ITEM_PATTERN, type EnvReference, parseEnvItem } from '../grammar/env.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { readString, string } from './scalars.ts';
import { closed, isMap, named, type Reader, reader } from './schema-kit.ts';

/**
 * A variable that the CLI replaces by the value from its own environment before it sends the
 * configuration.
 */
export const EnvSentinel = named('EnvSentinel', closed({ key: string() }));
export type EnvSentinel = EnvReference;

/** Environment variables; JSON is always a map. */
export const Env: Reader<Record<string, string | EnvSentinel>> = named(
  'Env',
  reader<Record<string, string | EnvSentinel>>(
    readEnv,
    (ref) => ({
      anyOf: [
        { type: 'array', items: { type: 'string', pattern: ENV_ITEM_PATTERN } },
        { type: 'object', additionalProperties: { anyOf: [{ type: 'string' }, ref(EnvSentinel)] } },
      ],
    }),
    (ref) => ({
      type: 'object',
      additionalProperties: { anyOf: [{ type: 'string' }, ref(EnvSentinel)] },
    }),
  ),
);
export type Env = z.infer<typeof Env>;

function readEnv(value: unknown): Env | Problem {
  if (Array.isArray(value)) return readEnvList(value);
  if (isMap(value)) return readEnvMap(value);
  return new Problem(
    `must be a list of 'NAME=value' or a map of names and values, got ${quote(value)}`,
  );
}

function readEnvList(list: readonly unknown[]): Env | Problem {
  const env = new Map<string, string | EnvSentinel>();
  for (const [index, item] of list.entries()) {
    const at = [index];
    const text = readString(item);
    if (text instanceof Problem) {
      return new Problem(
        `has an item that is not a string: write 'NAME=value', got ${quote(item)}`,
        {
          at,
        },
      );
    }
    const entry = parseEnvItem(text);
    if (entry instanceof Problem) return new Problem(entry.message, { at });
    if (env.has(entry[0]))
      return new Problem(`has the variable ${entry[0]} twice: keep one`, { at });
    env.set(...entry);
  }
  return Object.fromEntries(env);
}

function readEnvMap(map: Record<string, unknown>): Env | Problem {
  const env = new Map<string, string | EnvSentinel>();
  for (const [name, value] of Object.entries(map)) {
    const read = isMap(value) ? readSentinel(value) : readString(value);
    if (!(read instanceof Problem)) env.set(name, read);
    else
      return new Problem(`has an invalid value for ${name}: it ${envFix(name, value, read)}`, {
        at: [name],
      });
  }
  return Object.fromEntries(env);
}

function readSentinel(value: Record<string, unknown>): EnvSentinel | Problem {
  const read = EnvSentinel.safeParse(value);
  return read.success ? read.data : new Problem('must be a string, or {key: NAME}');
}

function envFix(name: string, value: unknown, problem: Problem): string {
  if (value !== null) return problem.message;
  return `is empty: write ${name}: "" for an empty text, or list '- ${name}' to take it from your environment`;
}
