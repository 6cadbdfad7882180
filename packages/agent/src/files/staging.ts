import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { UnsafeArchive } from './archive-names.ts';
import type { Publication } from './publish.ts';
import { isWithin, type Target } from './target.ts';

/** Makes a tree at a path that does not exist. */
export type MakeTree = (path: string) => Promise<void>;

/**
 * Trees of a job that are made in a directory of its own before any of them is put in its place. One
 * whose place lies in another's is made in that other's tree, and replaces what that has there; so
 * they come with the outer one first.
 */
export class Staging {
  readonly #dir: string;
  /** A program of an attempt that was cut short may still write to where that one has told it. */
  readonly #attempt = randomBytes(4).toString('hex');
  readonly #publications: Publication[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** What is to be put in place; no place lies in another's. */
  get publications(): readonly Publication[] {
    return this.#publications;
  }

  async add(target: Target, make: MakeTree): Promise<void> {
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

/** Path in a tree where something else is to be: all above it is there, it is not. */
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

/** False for nothing; what would lead elsewhere is refused. */
async function isDirectory(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => null);
  if (stat && !stat.isDirectory()) {
    throw new UnsafeArchive('its place lies behind a link or a file that the job brings along');
  }
  return stat !== null;
}
