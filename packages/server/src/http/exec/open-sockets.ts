import type { Id } from '@dstack/core';
import { JobSocketRefusal } from './reachable-job.ts';

/** Counts open connections to jobs, of each user and of all. */
export class OpenSockets {
  readonly #most: { readonly perUser: number; readonly total: number };
  readonly #byUser = new Map<Id, number>();
  #total = 0;

  constructor(most: { readonly perUser: number; readonly total: number }) {
    this.#most = most;
  }

  /** Returns the function to call when the connection is closed. Throws `JobSocketRefusal`. */
  enter(userId: Id): () => void {
    const own = this.#byUser.get(userId) ?? 0;
    if (own >= this.#most.perUser || this.#total >= this.#most.total) {
      const whose =
        own >= this.#most.perUser ? `You have ${own}` : `This server has ${this.#total}`;
      const message = `${whose} connections to jobs open already: close some of them`;
      throw new JobSocketRefusal(429, 'too_many', message);
    }
    this.#byUser.set(userId, own + 1);
    this.#total += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#total -= 1;
      const left = (this.#byUser.get(userId) ?? 1) - 1;
      if (left > 0) this.#byUser.set(userId, left);
      else this.#byUser.delete(userId);
    };
  }
}
