import type { Id } from '@dstack/core';

export interface MostOpen {
  readonly perUser: number;
  readonly total: number;
}

/** Counts what each user, and all users together, have open at the same time. */
export class OpenCalls {
  readonly #most: MostOpen;
  readonly #byUser = new Map<Id, number>();
  #total = 0;

  constructor(most: MostOpen) {
    this.#most = most;
  }

  /**
   * Returns the function to call at the end; calling it again has no effect. If there are too many, throws
   * the error that `refusal` makes of who has how many.
   */
  enter(userId: Id, refusal: (whose: string) => Error, count = 1): () => void {
    const own = this.#byUser.get(userId) ?? 0;
    if (own + count > this.#most.perUser) throw refusal(`You have ${own}`);
    if (this.#total + count > this.#most.total) throw refusal(`This server has ${this.#total}`);
    this.#note(userId, count);
    let isOpen = true;
    return () => {
      if (isOpen) this.#note(userId, -count);
      isOpen = false;
    };
  }

  #note(userId: Id, change: number): void {
    this.#total += change;
    const own = (this.#byUser.get(userId) ?? 0) + change;
    if (own > 0) this.#byUser.set(userId, own);
    else this.#byUser.delete(userId);
  }
}
