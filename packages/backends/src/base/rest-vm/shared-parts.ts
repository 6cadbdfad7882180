/** Parts that all backends of one account use together, for as long as one of them is open. */
export class SharedParts<T> {
  readonly #end: (part: T) => void;
  readonly #byKey = new Map<string, { readonly part: T; users: number }>();

  /** `end`: called when the last user has left. */
  constructor(end: (part: T) => void = () => {}) {
    this.#end = end;
  }

  /** How many keys are in use. */
  get size(): number {
    return this.#byKey.size;
  }

  /** `make`: called for the first user. `leave`: the caller is no user any more; it may be called twice. */
  join(key: string, make: () => T): { readonly part: T; readonly leave: () => void } {
    const shared = this.#byKey.get(key) ?? { part: make(), users: 0 };
    this.#byKey.set(key, shared);
    shared.users++;
    let isUser = true;
    const leave = () => {
      if (!isUser) return;
      isUser = false;
      if (--shared.users > 0) return;
      this.#byKey.delete(key);
      this.#end(shared.part);
    };
    return { part: shared.part, leave };
  }
}
