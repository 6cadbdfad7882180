/** The longest delay that Node's own timer takes without firing at once. */
const LONGEST = 2 ** 31 - 1;

/** One timer for an instant of the wall clock, however far away. */
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
