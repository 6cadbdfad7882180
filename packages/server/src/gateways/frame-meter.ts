/** Counts messages that a gateway sends rarely, if it is honest. */

const WINDOW_MS = 60_000;

export interface FrameMeterOptions {
  /** Messages per minute. */
  readonly most: number;
  /** Milliseconds. */
  readonly now: () => number;
}

export class FrameMeter {
  readonly #options: FrameMeterOptions;
  #since = 0;
  #count = 0;

  constructor(options: FrameMeterOptions) {
    this.#options = options;
  }

  /** Returns whether there are too many of them. */
  add(): boolean {
    const now = this.#options.now();
    if (now - this.#since >= WINDOW_MS || now < this.#since) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > this.#options.most;
  }

  /** Whether the last one was the first of its minute, which is worth a line in the log. */
  get isFirst(): boolean {
    return this.#count === 1;
  }

  reset(): void {
    this.#count = 0;
  }
}
