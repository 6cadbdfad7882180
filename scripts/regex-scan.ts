/**
 * Finds the regular expressions of a source, and checks with `recheck` that each takes linear time.
 */
import { parseSync } from '@swc/core';
import { checkSync } from 'recheck';

/**
 * A pattern that is not decided in this time counts as dangerous. The slowest takes 20 s of a processor, which
 * is many times longer beside the suites of the product.
 */
const TIMEOUT_MS = 600_000;

/** Random attempts are the same each time, however busy the computer is. */
export const REPEATABLE = {
  ...{ randomSeed: 1, seedingTimeout: null, incubationTimeout: null, attackTimeout: null },
};

// The JavaScript engine is slower, but runs everywhere.
process.env.RECHECK_BACKEND ??= 'pure';

export interface Regex {
  readonly file: string;
  readonly pattern: string;
  readonly flags: string;
}

export function regexesOf(file: string, source: string): Regex[] {
  const ast: unknown = parseSync(source, {
    syntax: 'typescript',
    tsx: file.endsWith('x'),
  });
  const found: Regex[] = [];
  const look = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, pattern, flags } = node as Partial<Regex & { type: string }>;
    if (type === 'RegExpLiteral') found.push({ file, pattern: pattern ?? '', flags: flags ?? '' });
    for (const part of Object.values(node)) look(part);
  };
  look(ast);
  return found;
}

/** Null: linear for every input. */
export type Verdict = string | null;

export const UNDECIDED = 'not decided in time';

export function verdictOf({ pattern, flags }: Regex): Verdict {
  const answer = checkSync(pattern, flags, { timeout: TIMEOUT_MS, ...REPEATABLE });
  if (answer.status === 'safe') return null;
  return answer.status === 'vulnerable' ? answer.complexity.summary : UNDECIDED;
}
