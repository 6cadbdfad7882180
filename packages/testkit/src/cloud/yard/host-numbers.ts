/** Numbers of hosts, which determine their addresses: at most `limit` are taken at the same time. */
export class HostNumbers {
  /** In the order in which they are given out: a released number comes last. */
  readonly #free: number[] = Array.from({ length: 200 }, (_, index) => index + 1);
  #left: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#left = limit;
  }

  /** Waits until there is one. `recent`: the one that was released last. */
  async take(recent: boolean): Promise<number> {
    if (this.#left === 0) await new Promise<void>((proceed) => void this.#waiting.push(proceed));
    else this.#left -= 1;
    const number = recent ? this.#free.pop() : this.#free.shift();
    if (number === undefined) throw new Error('all numbers of hosts are taken');
    return number;
  }

  giveBack(number: number): void {
    this.#free.push(number);
    const next = this.#waiting.shift();
    // The first that waits takes over the place.
    if (next) next();
    else this.#left += 1;
  }
}
