export interface PaceLimits {
  /** Tokens of a full bucket, and those that each second adds. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Keys that are remembered; those that were quiet for the longest time are forgotten first. */
const MOST_REMEMBERED = 10_000;

/** Limits how often something happens, for each key by itself: a token bucket. */
export class Pace {
  readonly #limits: PaceLimits;
  readonly #now: () => number;
  readonly #left = new Map<string, { readonly at: number; readonly tokens: number }>();

  /** `now` in milliseconds. */
  constructor(limits: PaceLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Seconds until the key may go on; 0 = it may now, which takes one token. */
  wait(key: string): number {
    const { burst, perSecond } = this.#limits;
    const now = this.#now();
    const known = this.#left.get(key);
    const filled = known ? known.tokens + ((now - known.at) / 1000) * perSecond : burst;
    const tokens = Math.min(burst, filled);
    this.#left.delete(key);
    this.#left.set(key, { at: now, tokens: tokens < 1 ? tokens : tokens - 1 });
    const [oldest] = this.#left.keys();
    if (this.#left.size > MOST_REMEMBERED && oldest) this.#left.delete(oldest);
    return tokens < 1 ? Math.ceil((1 - tokens) / perSecond) : 0;
  }
}
