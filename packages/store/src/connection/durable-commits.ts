/**
 * Waits until commits are on the disk, without holding up the process or the next transaction: SQLite
 * would sync inside `commit`, on the thread that serves everything. One sync covers all commits before it,
 * so callers that write at the same time share it.
 */
export class DurableCommits {
  readonly #sync: () => Promise<void>;
  readonly #rewrite: () => void;
  /** A sync has failed since the last rewriting. */
  #isSuspect = false;
  #committed = 0;
  #durable = 0;
  #running: Promise<void> | null = null;

  /**
   * `sync`: resolves when what was written before the call is on the disk. `rewrite`: writes all commits again, or throws;
   * after a failed sync Linux takes what it could not write for written, so that another sync alone proves nothing.
   */
  constructor(sync: () => Promise<void>, rewrite: () => void) {
    this.#sync = sync;
    this.#rewrite = rewrite;
  }

  /** No transaction is open. Throws the error of the database. */
  idle(): void {
    if (!this.#isSuspect) return;
    this.#rewrite();
    this.#isSuspect = false;
  }

  /** A commit was written to the log of the database. */
  committed(): void {
    this.#committed++;
  }

  /**
   * Resolves when all commits up to now are on the disk. Rejects with the error of a sync that failed;
   * the next caller tries again, after `idle`.
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
    } catch (error) {
      this.#isSuspect = true;
      throw error;
    } finally {
      this.#running = null;
    }
  }
}
