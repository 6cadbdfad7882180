/** Items in an order in which only the first one changes its place. */
export class Sorted<T> {
  readonly #compare: (a: T, b: T) => number;
  /** The last one first. */
  readonly #items: T[];

  /** `compare`: negative if `a` comes first. It must be a total order. */
  constructor(items: readonly T[], compare: (a: T, b: T) => number) {
    this.#compare = compare;
    this.#items = [...items];
    this.sort();
  }

  get first(): T | null {
    return this.#items.at(-1) ?? null;
  }

  /** Finds the place of the first one anew, or removes it. */
  settleFirst(isRemoved: boolean): void {
    const item = this.#items.pop();
    if (item === undefined || isRemoved) return;
    let [from, to] = [0, this.#items.length];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const other = this.#items[middle];
      if (other !== undefined && this.#compare(other, item) > 0) from = middle + 1;
      else to = middle;
    }
    this.#items.splice(from, 0, item);
  }

  /** Any of them may have changed its place. */
  sort(): void {
    this.#items.sort((a, b) => this.#compare(b, a));
  }
}
