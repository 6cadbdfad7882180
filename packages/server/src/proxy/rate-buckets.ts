import type { Rate, TakeRate } from './rate-limits.ts';

interface Bucket {
  /** Requests beyond the rate that have not drained yet. */
  excess: number;
  /** Milliseconds: when `excess` was computed. */
  at: number;
  readonly rate: Rate;
}

/** The oldest buckets are dropped beyond this number: their keys start again. */
const MAX_BUCKETS = 100_000;

/**
 * Counts requests like `limit_req` of nginx with `nodelay`: each key drains at its rate, and a request
 * that would exceed the burst is refused and not counted. For a server that shares its database with
 * no other; `now` in milliseconds.
 */
export class RateBuckets {
  readonly #now: () => number;
  /** In the order of the last allowed request. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly take: TakeRate = (key, rate) => {
    const now = this.#now();
    const known = this.#buckets.get(key);
    const excess = known === undefined ? 0 : nextExcess(known, rate, now);
    if (excess > rate.burst) return waitSeconds(excess, rate);
    this.#buckets.delete(key);
    this.#buckets.set(key, { excess, at: Math.max(now, known?.at ?? now), rate });
    this.#dropDrained(now);
    return 0;
  };

  get size(): number {
    return this.#buckets.size;
  }

  /** A drained bucket is equal to none. Two per request, so that the number shrinks. */
  #dropDrained(now: number): void {
    let looks = 2;
    for (const [key, bucket] of this.#buckets) {
      const isDrained = nextExcess(bucket, bucket.rate, now) === 0;
      if (!isDrained && this.#buckets.size <= MAX_BUCKETS) return;
      this.#buckets.delete(key);
      looks -= 1;
      if (looks === 0) return;
    }
  }
}

/** The excess with one more request. */
export function nextExcess(
  { excess, at }: { readonly excess: number; readonly at: number },
  { rps }: Rate,
  now: number,
): number {
  return Math.max(0, excess + 1 - (rps * Math.max(0, now - at)) / 1000);
}

export function waitSeconds(excess: number, { rps, burst }: Rate): number {
  return (excess - burst) / rps;
}
