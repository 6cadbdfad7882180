import { randomBytes } from 'node:crypto';
import { appendFileSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type HeldDirectory, holdDirectory } from './held-directory.ts';
import type { IsPlaced } from './target.ts';

const NAME = 'placed.jsonl';

type Line =
  | { readonly kind: 'placed'; readonly path: string; readonly identity: string }
  | { readonly kind: 'temporary'; readonly path: string };

/**
 * What a job puts outside of its own directories, written down before it is done: when the agent ends
 * in between, its successor must know the job's own from what is somebody else's.
 */
export class PlacementLedger {
  readonly #path: string;
  readonly #placed = new Map<string, string>();

  readonly #prefix: string;

  /** `dir`: a directory that outlives the attempt; `id`: of the job. */
  constructor(dir: string, id: string) {
    this.#path = join(dir, NAME);
    this.#prefix = `.dstack-${id}-`;
    for (const line of readLines(this.#path)) {
      if (line.kind === 'placed') this.#placed.set(line.path, line.identity);
      // No other name is ever removed, whatever is written there.
      else if (basename(line.path).startsWith(this.#prefix)) removeTemporary(line.path);
    }
  }

  static readonly fileName = NAME;

  /** Called before a thing is moved to a path. */
  willPlace(path: string, identity: string): void {
    this.#write({ kind: 'placed', path, identity });
    this.#placed.set(path, identity);
  }

  /** Name for something in `dir` that must not stay; no other job uses it. */
  temporaryName(dir: string): string {
    const name = `${this.#prefix}${randomBytes(6).toString('hex')}`;
    this.#write({ kind: 'temporary', path: join(dir, name) });
    return name;
  }

  /** Whether what is at a path was put there by the job; `at`: by which path it is reached. */
  readonly isPlaced: IsPlaced = (path, at = path) => {
    const known = this.#placed.get(path);
    return known !== undefined && known === identityOf(at);
  };

  #write(line: Line): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

/**
 * What tells a file from any that comes after it; null where nothing is. Its number alone does not:
 * a file system gives that of a file that was removed to the next one.
 */
export function identityOf(path: string): string | null {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats ? `${stats.dev}:${stats.ino}:${stats.birthtimeNs}` : null;
}

function readLines(path: string): Line[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // The first attempt.
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line];
    } catch {
      // It was cut short: what it describes was not begun.
      return [];
    }
  });
}

function removeTemporary(path: string): void {
  let parent: HeldDirectory;
  try {
    parent = holdDirectory(dirname(path));
  } catch {
    // The directory around it has gone, and it with it.
    return;
  }
  try {
    const own = parent.at(basename(path));
    if (lstatSync(own, { throwIfNoEntry: false })) rmSync(own, { recursive: true });
  } finally {
    parent.close();
  }
}
