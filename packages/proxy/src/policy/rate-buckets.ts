import type { Rate, TakenRate, TakeRate } from './rate-limits.ts';

interface Bucket {
  /** Requests beyond the rate that have not drained yet. */
  excess: number;
  /** Milliseconds: when `excess` was computed. */
  at: number;
  readonly rate: Rate;
}

/** The buckets of one service by key, in the order of their last allowed request. */
type OwnBuckets = Map<string, Bucket>;

/** Beyond this number, the service with most buckets drops its oldest: that key starts again. */
const MAX_BUCKETS = 100_000;

/**
 * Counts requests like `limit_req` of nginx with `nodelay`: each key drains at its rate, and a request
 * that would exceed the burst is refused and not counted. For a server that shares its database with
 * no other; `now` in milliseconds. Clients of one service choose its keys, so services are kept apart.
 */
export class RateBuckets {
  readonly #now: () => number;
  readonly #most: number;
  /** By service, in the order of the last allowed request. */
  readonly #services = new Map<string, OwnBuckets>();
  #size = 0;

  constructor(now: () => number, most: number = MAX_BUCKETS) {
    this.#now = now;
    this.#most = most;
  }

  readonly take: TakeRate = (key, rate, service) =>
    this.takeUpTo(key, rate, service, 1).waitMs / 1000;

  /** Counts up to `most` requests, as many as are allowed now. */
  takeUpTo(key: string, rate: Rate, service: string, most: number): TakenRate {
    const now = this.#now();
    const own = this.#services.get(service) ?? new Map<string, Bucket>();
    const known = own.get(key);
    if (known) drainsFrom(known, now);
    const excess = known === undefined ? 0 : nextExcess(known, rate, now);
    if (excess > rate.burst) return { granted: 0, waitMs: waitMs(excess, rate) };
    const granted = Math.min(most, Math.floor(rate.burst - excess) + 1);
    own.delete(key);
    own.set(key, { excess: excess + granted - 1, at: now, rate });
    if (known === undefined) this.#size += 1;
    this.#services.delete(service);
    this.#services.set(service, own);
    this.#dropDrained(own, now);
    // The buckets of a service without requests would stay for ever.
    for (const [idle, buckets] of this.#services) {
      this.#dropDrained(buckets, now);
      if (buckets.size === 0) this.#services.delete(idle);
      break;
    }
    if (this.#size > this.#most) this.#dropOldest();
    return { granted, waitMs: 0 };
  }

  get size(): number {
    return this.#size;
  }

  /** A drained bucket is equal to none. Two per request, so that the number shrinks. */
  #dropDrained(buckets: OwnBuckets, now: number): void {
    let looks = 2;
    for (const [key, bucket] of buckets) {
      drainsFrom(bucket, now);
      if (nextExcess(bucket, bucket.rate, now) > 0) return;
      buckets.delete(key);
      this.#size -= 1;
      looks -= 1;
      if (looks === 0) return;
    }
  }

  #dropOldest(): void {
    let largest: OwnBuckets = new Map();
    for (const buckets of this.#services.values()) {
      if (buckets.size > largest.size) largest = buckets;
    }
    for (const key of largest.keys()) {
      largest.delete(key);
      this.#size -= 1;
      return;
    }
  }
}

/** After a step back of the clock a bucket would not drain until its old time is reached. */
function drainsFrom(bucket: Bucket, now: number): void {
  if (bucket.at > now) bucket.at = now;
}

/** The excess with one more request. */
function nextExcess({ excess, at }: Bucket, { rps }: Rate, now: number): number {
  return Math.max(0, excess + 1 - (rps * Math.max(0, now - at)) / 1000);
}

function waitMs(excess: number, { rps, burst }: Rate): number {
  return ((excess - burst) / rps) * 1000;
}
