/** ConnectionTurns of requests, one after the other, after which work in the background gets one. */
const REQUESTS_IN_A_ROW = 8;

/**
 * Who waits: each is woken once, when it is its turn. Requests go before work in the background, which gets
 * one turn of nine where requests never end; among themselves both keep the order of coming.
 */
export class ConnectionTurns {
  readonly #requests: (() => void)[] = [];
  readonly #background: (() => void)[] = [];
  #isTaken = false;
  /** ConnectionTurns of requests since the last one of work in the background. */
  #inARow = 0;

  /** Resolves when those whose turn is before have given it back. */
  take(isInBackground: boolean): Promise<void> {
    if (this.#isTaken) {
      const waiting = isInBackground ? this.#background : this.#requests;
      return new Promise((resolve) => waiting.push(resolve));
    }
    this.#isTaken = true;
    return Promise.resolve();
  }

  /** By the one who took it. */
  give(): void {
    const next = this.#next();
    if (next) next();
    else this.#isTaken = false;
  }

  #next(): (() => void) | undefined {
    const isDue = this.#inARow >= REQUESTS_IN_A_ROW && this.#background.length > 0;
    const request = isDue ? undefined : this.#requests.shift();
    this.#inARow = request ? this.#inARow + 1 : 0;
    return request ?? this.#background.shift();
  }
}
