/**
 * An answer that is asked for after the call that needs it: all that ask while one is under way share the next. So one
 * list of a whole account serves all of its regions.
 */
export class NextAnswer<T> {
  readonly #ask: () => Promise<T>;
  #last: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  async value(): Promise<T> {
    this.#next ??= this.#afterLast();
    return await this.#next;
  }

  async #afterLast(): Promise<T> {
    await this.#last?.catch(() => {});
    this.#next = null;
    this.#last = this.#ask();
    return await this.#last;
  }
}
