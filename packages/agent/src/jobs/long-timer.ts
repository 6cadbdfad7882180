/** The longest delay of Node's own timer; it fires at once for longer ones. */
const LONGEST = 2 ** 31 - 1;

/** A timer for any instant of the wall clock. */
export class LongTimer {
  #timer: NodeJS.Timeout | null = null;

  /** Replaces an earlier instant. `at` is in milliseconds since the epoch. */
  set(at: number, action: () => void): void {
    this.clear();
    const wait = at - Date.now();
    this.#timer =
      wait > LONGEST
        ? setTimeout(() => this.set(at, action), LONGEST)
        : setTimeout(action, Math.max(0, wait));
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
