/** Who waits, in the order of coming: each is woken once, when it is its turn. */
export class FirstCome {
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  /** Resolves when all who came before have given it back. */
  take(): Promise<void> {
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    return Promise.resolve();
  }

  /** By the one who took it. */
  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#isTaken = false;
  }
}
