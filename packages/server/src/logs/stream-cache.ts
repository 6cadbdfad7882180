interface Entry<T> {
  readonly stream: Promise<T>;
  users: number;
}

/**
 * Streams in use, and those used last: opened when needed, and closed when there are more than
 * `limit`, so that memory is bounded whatever the number of jobs.
 */
export class StreamCache<T> {
  readonly #limit: number;
  readonly #letGo: (stream: T) => Promise<void>;
  readonly #entries = new Map<string, Entry<T>>();

  /** `letGo` writes data in memory; a stream for which it throws is kept. */
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

  /** Removes a stream: the next use opens it again. */
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
    // Removing and adding it makes it the most recently used one.
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
      const isClosed = await entry.stream.then(this.#letGo).then(
        () => true,
        () => false,
      );
      // The stream may be in use again.
      if (isClosed && entry.users === 0) this.#forget(key, entry);
    }
  }
}
