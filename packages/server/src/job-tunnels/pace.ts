import type { Id } from '@dstack/core';

export interface PaceLimits {
  /** At once, and each second after that. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Jobs that are remembered; those that were quiet for the longest time go first. */
const MOST_REMEMBERED = 10_000;

/** How often jobs may do something: each has as many goes as may come at once, filled up as time goes by. */
export class Pace {
  readonly #limits: PaceLimits;
  readonly #now: () => number;
  readonly #left = new Map<Id, { readonly at: number; readonly goes: number }>();

  /** `now` in milliseconds. */
  constructor(limits: PaceLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Seconds until the job may go on, 0 = it may now and has one go less. */
  wait(jobId: Id): number {
    const { burst, perSecond } = this.#limits;
    const now = this.#now();
    const known = this.#left.get(jobId);
    const filled = known ? known.goes + ((now - known.at) / 1000) * perSecond : burst;
    const goes = Math.min(burst, filled);
    this.#left.delete(jobId);
    this.#left.set(jobId, { at: now, goes: goes < 1 ? goes : goes - 1 });
    const [oldest] = this.#left.keys();
    if (this.#left.size > MOST_REMEMBERED && oldest) this.#left.delete(oldest);
    return goes < 1 ? Math.ceil((1 - goes) / perSecond) : 0;
  }
}
