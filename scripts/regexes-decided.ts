/**
 * The slow patterns that an earlier run has found to be linear, in `regexes-decided.json`: a clean clone does
 * not spend two minutes of a processor on finding it again. Void for another `recheck` or other settings.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { REPEATABLE, type Regex } from './regex-scan.ts';

export interface Decided {
  /** The version of `recheck` that has decided them, and its settings. */
  readonly by: string;
  /** The expressions that take linear time, in the form of `nameOf`, sorted. */
  readonly linear: readonly string[];
}

const FILE = fileURLToPath(new URL('regexes-decided.json', import.meta.url));

const { version } = createRequire(import.meta.url)('recheck/package.json') as { version: string };

export const DECIDER = `recheck ${version} ${JSON.stringify(REPEATABLE)}`;

export const nameOf = ({ pattern, flags }: Omit<Regex, 'file'>): string => `/${pattern}/${flags}`;

export function readDecided(): Decided {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8')) as Decided;
  } catch {
    // Nothing was recorded, or it is being written.
    return { by: DECIDER, linear: [] };
  }
}

/** The names of patterns that need no check. */
export function linearOf({ by, linear }: Decided, decider = DECIDER): ReadonlySet<string> {
  return new Set(by === decider ? linear : []);
}

/** With those that were slow this time, and without those that no source has any more. */
export function withSlow(
  known: ReadonlySet<string>,
  slow: Iterable<string>,
  present: ReadonlySet<string>,
): Decided {
  const all = new Set([...known, ...slow]);
  return { by: DECIDER, linear: [...all].filter((name) => present.has(name)).sort() };
}

export function writeDecided(decided: Decided): void {
  writeFileSync(FILE, `${JSON.stringify(decided, null, 2)}\n`);
}
