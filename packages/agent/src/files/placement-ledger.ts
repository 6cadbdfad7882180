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
 * Records, before each move, the files that a job places outside its own directories. After a kill,
 * the next agent uses the record to identify the files of the job.
 */
export class PlacementLedger {
  readonly #path: string;
  readonly #placed = new Map<string, string>();

  readonly #prefix: string;

  /** `dir`: a directory that outlives the attempt; `id`: the job's. */
  constructor(dir: string, id: string) {
    this.#path = join(dir, NAME);
    this.#prefix = `.dstack-${id}-`;
    for (const line of readLines(this.#path)) {
      if (line.kind === 'placed') this.#placed.set(line.path, line.identity);
      // The file may be damaged, so only entries with this form of name are removed.
      else if (basename(line.path).startsWith(this.#prefix)) removeTemporary(line.path);
    }
  }

  static readonly fileName = NAME;

  /** Called before each move. */
  willPlace(path: string, identity: string): void {
    this.#write({ kind: 'placed', path, identity });
    this.#placed.set(path, identity);
  }

  /** A name for a temporary entry of `dir` that no other job uses. */
  temporaryName(dir: string): string {
    const name = `${this.#prefix}${randomBytes(6).toString('hex')}`;
    this.#write({ kind: 'temporary', path: join(dir, name) });
    return name;
  }

  /** Whether the job has placed the entry at a path; `at`: the path to open it by. */
  readonly isPlaced: IsPlaced = (path, at = path) => {
    const known = this.#placed.get(path);
    return known !== undefined && known === identityOf(at);
  };

  #write(line: Line): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

/**
 * Distinguishes a file from any later one at its path; null if nothing is there. The inode number alone
 * is not enough: file systems reuse the number of a removed file.
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
      // The line is incomplete, so its move was not made.
      return [];
    }
  });
}

function removeTemporary(path: string): void {
  let parent: HeldDirectory;
  try {
    parent = holdDirectory(dirname(path));
  } catch {
    // Its directory was removed too.
    return;
  }
  try {
    const own = parent.at(basename(path));
    if (lstatSync(own, { throwIfNoEntry: false })) rmSync(own, { recursive: true });
  } finally {
    parent.close();
  }
}
