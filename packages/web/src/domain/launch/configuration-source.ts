import { misreadTimes } from '@dstack/contract/misread-times';
import { loadYaml, type Position } from '@dstack/contract/yaml';

/** Something wrong with a configuration, at a line from 1. */
export interface SourceProblem {
  readonly line: number;
  readonly message: string;
  /** The path of the key that the problem is about, where that is known. */
  readonly path?: readonly PropertyKey[];
}

export type ConfigurationSource =
  | { readonly kind: 'invalid'; readonly problem: SourceProblem }
  | {
      readonly kind: 'valid';
      /** The value that is sent to the server. */
      readonly value: Readonly<Record<string, unknown>>;
      /** The line of a path; of its nearest parent if it is not in the text. */
      readonly lineOf: (path: readonly PropertyKey[]) => number;
    };

/** The most tokens that are read while the user types. */
const MOST_TOKENS = 50_000;

/** Reads the text of a configuration with the rules of the command line. */
export function readSource(text: string): ConfigurationSource {
  const loaded = loadYaml(text, { maxTokens: MOST_TOKENS });
  if ('message' in loaded) {
    return { kind: 'invalid', problem: { line: loaded.line, message: loaded.message } };
  }
  const [misread] = misreadTimes(loaded);
  if (misread !== undefined) {
    const { path } = misread;
    const message = `${path.join('.')}: ${misread.message}`;
    return { kind: 'invalid', problem: { line: loaded.locate(path).line, message, path } };
  }
  const value = jsonForm(loaded.value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = 'A configuration is a map of keys and values, such as `type: task`';
    return { kind: 'invalid', problem: { line: 1, message } };
  }
  return {
    kind: 'valid',
    value: value as Readonly<Record<string, unknown>>,
    lineOf: (path) => lineOf(loaded.locate, path),
  };
}

function lineOf(
  locate: (path: readonly PropertyKey[]) => Position,
  path: readonly PropertyKey[],
): number {
  return path.length === 0 ? 1 : locate(path).line;
}

/** Numbers and dates as JSON has them. */
function jsonForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonForm);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (Object.getPrototypeOf(value) !== Object.prototype && 'value' in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, jsonForm(part)]));
}
