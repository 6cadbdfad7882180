/**
 * Waits until commits are on the disk, without holding up the process or the next transaction: SQLite
 * would sync inside `commit`, on the thread that serves everything. One sync covers all commits before it,
 * so callers that write at the same time share it.
 */
export class DurableCommits {
  readonly #sync: () => Promise<void>;
  #committed = 0;
  #durable = 0;
  #running: Promise<void> | null = null;

  /** `sync`: resolves when what was written before the call is on the disk. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** A commit was written to the log of the database. */
  committed(): void {
    this.#committed++;
  }

  /**
   * Resolves when all commits up to now are on the disk. Rejects with the error of a sync that failed;
   * the next caller tries again, as SQLite does.
   */
  async settled(): Promise<void> {
    const upTo = this.#committed;
    while (this.#durable < upTo) {
      this.#running ??= this.#syncOnce();
      await this.#running;
    }
  }

  async #syncOnce(): Promise<void> {
    const upTo = this.#committed;
    try {
      await this.#sync();
      this.#durable = upTo;
    } finally {
      this.#running = null;
    }
  }
}
