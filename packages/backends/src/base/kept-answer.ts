/** An answer that is asked for once, and again when it is old or was an error. */
export class KeptAnswer<T> {
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  readonly #ask: () => Promise<T>;
  #kept: { readonly at: number; readonly answer: Promise<T> } | null = null;

  constructor(maxAgeMs: number, now: () => number, ask: () => Promise<T>) {
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
    this.#ask = ask;
  }

  /** Discards the kept answer, because something has changed. */
  drop(): void {
    this.#kept = null;
  }

  async value(): Promise<T> {
    const now = this.#now();
    if (this.#kept === null || now - this.#kept.at > this.#maxAgeMs) {
      const kept = { at: now, answer: this.#ask() };
      kept.answer.catch(() => {
        if (this.#kept === kept) this.#kept = null;
      });
      this.#kept = kept;
    }
    return await this.#kept.answer;
  }
}
