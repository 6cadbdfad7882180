/** Keys that may wait for their write; only a hostile host reports more. */
const MAX_KEYS = 10_000;

export interface NewestOnlyOptions<T> {
  readonly write: (key: string, value: T) => Promise<void>;
  /** Never throws. */
  readonly onError: (key: string, error: unknown) => void;
}

/**
 * Writes the newest value of each key, one write at a time. A value that arrives faster than it can be
 * written replaces the waiting one, so the queue is bounded.
 */
export class NewestOnly<T> {
  readonly #options: NewestOnlyOptions<T>;
  readonly #waiting = new Map<string, T>();
  #isWriting = false;

  constructor(options: NewestOnlyOptions<T>) {
    this.#options = options;
  }

  put(key: string, value: T): void {
    if (this.#waiting.size >= MAX_KEYS && !this.#waiting.has(key)) return;
    this.#waiting.set(key, value);
    if (!this.#isWriting) void this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    for (const [key, value] of this.#waiting) {
      this.#waiting.delete(key);
      await this.#options.write(key, value).catch((error) => this.#options.onError(key, error));
    }
    this.#isWriting = false;
  }
}
