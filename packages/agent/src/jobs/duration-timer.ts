/** The longest delay of Node's own timer; it fires at once for longer ones. */
const LONGEST_MS = 2 ** 31 - 1;

/** A timer for any duration. Steps of the wall clock do not move it. */
export class DurationTimer {
  #timer: NodeJS.Timeout | null = null;

  /** Replaces an earlier one. */
  set(ms: number, action: () => void): void {
    this.clear();
    const wait = Math.min(Math.max(0, ms), LONGEST_MS);
    this.#timer = setTimeout(
      () => (ms > LONGEST_MS ? this.set(ms - LONGEST_MS, action) : action()),
      wait,
    );
  }

  clear(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
