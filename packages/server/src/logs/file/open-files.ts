import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

interface Entry {
  readonly handle: Promise<FileHandle>;
  users: number;
  /** Removed from the cache: the last user closes it. */
  dropped: boolean;
}

/** Keeps files open for reading and writing, at most `limit`: those used last. */
export class FileHandles {
  readonly #limit: number;
  readonly #entries = new Map<string, Entry>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `create`: creates a missing file. Throws errors of the file system. */
  async use<T>(
    path: string,
    create: boolean,
    task: (handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    const entry = this.#entry(path, create);
    entry.users += 1;
    try {
      return await task(await entry.handle);
    } finally {
      entry.users -= 1;
      await this.#trim();
      if (entry.dropped && entry.users === 0) await close(entry);
    }
  }

  /** Closes the files of a folder. */
  async forget(folder: string): Promise<void> {
    const prefix = `${folder}/`;
    for (const path of [...this.#entries.keys()]) {
      if (path.startsWith(prefix)) await this.#drop(path);
    }
  }

  async close(): Promise<void> {
    for (const path of [...this.#entries.keys()]) await this.#drop(path);
  }

  #entry(path: string, create: boolean): Entry {
    const known = this.#entries.get(path);
    // Removing and adding it makes it the most recently used one.
    this.#entries.delete(path);
    const entry = known ?? { handle: this.#open(path, create), users: 0, dropped: false };
    this.#entries.set(path, entry);
    return entry;
  }

  async #open(path: string, create: boolean): Promise<FileHandle> {
    try {
      return await open(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o600);
    } catch (error) {
      this.#entries.delete(path);
      throw error;
    }
  }

  async #trim(): Promise<void> {
    if (this.#entries.size <= this.#limit) return;
    for (const [path, entry] of this.#entries) {
      if (entry.users > 0) continue;
      await this.#drop(path);
      if (this.#entries.size <= this.#limit) return;
    }
  }

  async #drop(path: string): Promise<void> {
    const entry = this.#entries.get(path);
    if (!entry) return;
    this.#entries.delete(path);
    entry.dropped = true;
    if (entry.users === 0) await close(entry);
  }
}

async function close(entry: Entry): Promise<void> {
  const handle = await entry.handle.catch(() => null);
  await handle?.close();
}
