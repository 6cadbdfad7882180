import { lstatSync, readdirSync, rmdirSync, rmSync, type Stats } from 'node:fs';
import { constants, copyFile, link, mkdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { treeEntries } from './entries.ts';
import { type HeldDirectory, holdDirectory } from './held-directory.ts';
import { identityOf, type PlacementLedger } from './placement-ledger.ts';
import { foreignEntries, type PlacementTarget } from './target.ts';
import { writeTree } from './write-tree.ts';

/** A finished tree and its target. */
export interface Publication {
  readonly staged: string;
  readonly target: PlacementTarget;
}

interface Placed {
  readonly path: string;
  readonly identity: string | null;
}

/**
 * Moves finished trees to their targets. Each move is atomic, replaces nothing and follows no link; a
 * target that has changed since it was checked is an error. `undo` reverts all moves.
 */
export class Publisher {
  readonly #ledger: PlacementLedger;
  readonly #signal: AbortSignal;
  readonly #placed: Placed[] = [];
  readonly #made: string[] = [];

  constructor(ledger: PlacementLedger, signal: AbortSignal) {
    this.#ledger = ledger;
    this.#signal = signal;
  }

  async publish({ staged, target }: Publication): Promise<void> {
    this.#signal.throwIfAborted();
    const there = lstatSync(target.path, { throwIfNoEntry: false });
    if (!there?.isDirectory() || this.#ledger.isPlaced(target.path))
      return await this.#move(staged, target.path);
    if (!lstatSync(staged).isDirectory()) {
      throw new Error(`${target.path} is a directory, and what would be put there is a file`);
    }
    await this.#fill(staged, target.path);
  }

  /** Creates the missing directories of a path. */
  makeDirectory(path: string): void {
    holdDirectory(path, (made) => this.#made.push(made)).close();
  }

  /** Removes only the placed files, and the directories created for them if these are empty. */
  undo(): void {
    for (const { path, identity } of this.#placed.reverse()) {
      undoAt(path, (place) => {
        if (identityOf(place) === identity) rmSync(place, { recursive: true });
      });
    }
    for (const path of this.#made.reverse()) undoAt(path, rmdirSync);
  }

  async #fill(staged: string, path: string): Promise<void> {
    const dir = holdDirectory(path);
    try {
      const [foreign] = foreignEntries(dir.at('.'), path, this.#ledger.isPlaced);
      if (foreign !== undefined) throw appeared(join(path, foreign));
      for (const name of readdirSync(staged)) {
        await this.#place(join(staged, name), dir, join(path, name));
      }
    } catch (error) {
      throw dir.named(error);
    } finally {
      dir.close();
    }
  }

  async #move(staged: string, path: string): Promise<void> {
    const parent = holdDirectory(dirname(path), (made) => this.#made.push(made));
    try {
      await this.#place(staged, parent, path);
    } catch (error) {
      throw parent.named(error);
    } finally {
      parent.close();
    }
  }

  async #place(staged: string, parent: HeldDirectory, path: string): Promise<void> {
    const place = parent.at(basename(path));
    const there = identityOf(place);
    if (there !== null) {
      if (!this.#ledger.isPlaced(path, place)) throw appeared(path);
      // An earlier attempt, which was interrupted, has placed it.
      this.#placed.push({ path, identity: there });
      return;
    }
    try {
      await this.#rename(staged, place, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      await this.#copy(staged, parent, path);
    }
  }

  async #rename(from: string, place: string, path: string): Promise<void> {
    const stats = lstatSync(from);
    this.#ledger.willPlace(path, identityOf(from) ?? '');
    try {
      // A directory replaces an empty directory only, and a file replaces nothing.
      if (stats.isDirectory()) await rename(from, place);
      else await linkOrCopy(from, place, stats);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      throw ['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(code ?? '') ? appeared(path) : error;
    }
    this.#placed.push({ path, identity: identityOf(place) });
  }

  /** To another file system: copy first into a private directory beside the target. */
  async #copy(staged: string, parent: HeldDirectory, path: string): Promise<void> {
    const name = this.#ledger.temporaryName(dirname(path));
    await mkdir(parent.at(name), 0o700);
    const temporary = parent.own(name);
    try {
      const copy = temporary.at('tree');
      await writeTree(treeEntries(staged), copy, this.#signal);
      await this.#rename(copy, parent.at(basename(path)), path);
    } finally {
      temporary.close();
      rmSync(parent.at(name), { recursive: true, force: true });
    }
  }
}

/** The caller reports the error that caused the undo. What cannot be removed stays. */
function undoAt(path: string, remove: (place: string) => void): void {
  try {
    const parent = holdDirectory(dirname(path));
    try {
      remove(parent.at(basename(path)));
    } finally {
      parent.close();
    }
  } catch {}
}

/** A second name for the file, since a rename would replace an existing file. */
async function linkOrCopy(from: string, place: string, stats: Stats): Promise<void> {
  try {
    await link(from, place);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // A file system without hard links.
    const isUnable = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code);
    if (!isUnable || !stats.isFile()) throw error;
    await copyFile(from, place, constants.COPYFILE_EXCL);
  }
  await unlink(from);
}

function appeared(path: string): Error {
  return new Error(`${path} has appeared meanwhile`);
}
