export interface PaceLimits {
  /** Tokens of a full bucket, and tokens added per second. */
  readonly burst: number;
  readonly perSecond: number;
}

/** Maximum number of keys; those unused for the longest time are dropped first. */
const MOST_REMEMBERED = 10_000;

/** Limits the rate of something, separately for each key: a token bucket. */
export class Pace {
  readonly #limits: PaceLimits;
  readonly #now: () => number;
  readonly #left = new Map<string, { readonly at: number; readonly tokens: number }>();

  /** `now` in milliseconds. */
  constructor(limits: PaceLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Seconds until the key may continue; 0 = it may now, which takes one token. */
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
