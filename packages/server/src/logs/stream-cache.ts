interface Entry<T> {
  readonly stream: Promise<T>;
  users: number;
}

/**
 * Streams that are in use, and the last used ones: opened when they are needed, let go when there
 * are more than `limit`, so that memory has a bound whatever the number of jobs.
 */
export class StreamCache<T> {
  readonly #limit: number;
  readonly #letGo: (stream: T) => Promise<void>;
  readonly #entries = new Map<string, Entry<T>>();

  /** `letGo` writes what waits in memory; a stream for which it throws is kept. */
  constructor(limit: number, letGo: (stream: T) => Promise<void>) {
    this.#limit = limit;
    this.#letGo = letGo;
  }

  async use<R>(key: string, open: () => Promise<T>, task: (stream: T) => Promise<R>): Promise<R> {
    const entry = this.#entry(key, open);
    entry.users += 1;
    try {
      return await task(await entry.stream);
    } finally {
      entry.users -= 1;
      await this.#trim();
    }
  }

  /** Takes a stream out: the next use opens it anew. */
  take(key: string): Promise<T> | undefined {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    return entry?.stream;
  }

  takeAll(): readonly Promise<T>[] {
    const streams = [...this.#entries.values()].map((entry) => entry.stream);
    this.#entries.clear();
    return streams;
  }

  #entry(key: string, open: () => Promise<T>): Entry<T> {
    const known = this.#entries.get(key);
    // Taking it out and in again makes it the most recently used one.
    this.#entries.delete(key);
    const entry = known ?? { stream: open(), users: 0 };
    this.#entries.set(key, entry);
    if (!known) entry.stream.catch(() => this.#forget(key, entry));
    return entry;
  }

  #forget(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }

  async #trim(): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#limit) return;
      if (entry.users > 0) continue;
      const gone = await entry.stream.then(this.#letGo).then(
        () => true,
        () => false,
      );
      // Somebody may have taken it up again meanwhile.
      if (gone && entry.users === 0) this.#forget(key, entry);
    }
  }
}
