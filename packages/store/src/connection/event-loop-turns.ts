/** How long the database may keep the process busy, in milliseconds. */
const SLICE_MS = 10;

/**
 * Gives the event loop its turns while the database is busy. Statements of SQLite are synchronous,
 * and those of a thousand waiting passes follow each other in microtasks: no request, timer or
 * socket would be served before the last of them.
 */
export class EventLoopTurns {
  readonly #now: () => number;
  /** When this turn of the loop used the database first; null = it has not yet. */
  #since: number | null = null;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Called before each use of the database; resolves at once, or in the next turn of the loop. */
  async take(): Promise<void> {
    if (this.#since === null) {
      this.#since = this.#now();
      setImmediate(() => {
        this.#since = null;
      });
    } else if (this.#now() - this.#since > SLICE_MS) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
