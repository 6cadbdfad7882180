import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { UnsafeArchive } from './archive-names.ts';
import type { Publication } from './publish.ts';
import { isWithin, type PlacementTarget } from './target.ts';

/** Makes a tree at a path that does not exist. */
export type MakeTree = (path: string) => Promise<void>;

/**
 * Builds all trees of a job in a directory of the job before any of them is moved to its target. A
 * tree whose target lies in another one's is built inside that tree and replaces what is there, so
 * callers add the outer tree first.
 */
export class Staging {
  readonly #dir: string;
  /** A program of an interrupted attempt may still write to the directory of that attempt. */
  readonly #attempt = randomBytes(4).toString('hex');
  readonly #publications: Publication[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The trees to move; no target lies in another one's. */
  get publications(): readonly Publication[] {
    return this.#publications;
  }

  async add(target: PlacementTarget, make: MakeTree): Promise<void> {
    const outer = this.#publications.find((each) => isWithin(target.path, each.target.path));
    if (outer) {
      await make(await makeWay(outer.staged, relative(outer.target.path, target.path)));
      return;
    }
    const staged = join(this.#dir, `tree-${this.#attempt}-${this.#publications.length}`);
    await make(staged);
    this.#publications.push({ staged, target });
  }
}

/** Path in a tree for another tree: the directories above it exist, the path itself does not. */
async function makeWay(root: string, path: string): Promise<string> {
  const parts = path === '' ? [] : path.split('/');
  let here = root;
  for (const part of parts) {
    if (!(await isDirectory(here))) {
      await mkdir(here, 0o755);
      await chmod(here, 0o755);
    }
    here = join(here, part);
  }
  await rm(here, { recursive: true, force: true });
  return here;
}

/** False if the path is missing. Throws for a link or a file. */
async function isDirectory(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => null);
  if (stat && !stat.isDirectory()) {
    throw new UnsafeArchive('its target lies behind a link or a file of the job');
  }
  return stat !== null;
}
