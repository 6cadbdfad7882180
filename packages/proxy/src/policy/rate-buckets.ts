import type { Rate, TakenRate, TakeRate } from './rate-limits.ts';

interface Bucket {
  /** Requests beyond the rate that have not drained yet. */
  excess: number;
  /** Milliseconds: when `excess` was computed. */
  at: number;
  readonly rate: Rate;
}

interface BucketLimits {
  /** Buckets of all services. */
  readonly most?: number;
  readonly mostWaitedMs?: number;
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
  readonly #mostWaitedMs: number;
  /** By service, in the order of the last allowed request. */
  readonly #services = new Map<string, OwnBuckets>();
  #size = 0;

  /** `mostWaitedMs`: no request has waited for longer, see `takeUpTo`. */
  constructor(now: () => number, { most = MAX_BUCKETS, mostWaitedMs = 0 }: BucketLimits = {}) {
    this.#now = now;
    this.#most = most;
    this.#mostWaitedMs = mostWaitedMs;
  }

  readonly take: TakeRate = (key, rate, service) =>
    this.takeUpTo(key, rate, service, 1).waitMs / 1000;

  /**
   * Counts up to `most` requests, as many as are allowed. The first of them has waited for `waitedMs`: they are counted as
   * if they had come one after the other since then.
   */
  takeUpTo(key: string, rate: Rate, service: string, most: number, waitedMs = 0): TakenRate {
    const now = this.#now();
    const own = this.#services.get(service) ?? new Map<string, Bucket>();
    const known = own.get(key);
    if (known) drainsFrom(known, now);
    const began = now - Math.min(waitedMs, this.#mostWaitedMs);
    const at = known === undefined ? began : Math.max(began, known.at);
    const excess = known === undefined ? 0 : nextExcess(known, rate, at);
    const room = rate.burst + drained(rate, now - at);
    if (excess > room) return { granted: 0, waitMs: msFor(excess - room, rate) };
    const granted = Math.min(most, Math.floor(room - excess) + 1);
    const next = excess + granted;
    own.delete(key);
    own.set(key, { excess: next - 1, at, rate });
    if (known === undefined) this.#size += 1;
    this.#services.delete(service);
    this.#services.set(service, own);
    // Later requests may have come before these.
    const earliest = now - this.#mostWaitedMs;
    this.#dropDrained(own, earliest);
    // The buckets of a service without requests would stay for ever.
    for (const [idle, buckets] of this.#services) {
      this.#dropDrained(buckets, earliest);
      if (buckets.size === 0) this.#services.delete(idle);
      break;
    }
    if (this.#size > this.#most) this.#dropOldest();
    return { granted, waitMs: granted < most ? msFor(next - room, rate) : 0 };
  }

  get size(): number {
    return this.#size;
  }

  /** A bucket that has drained by then is equal to none. Two per request, so that the number shrinks. */
  #dropDrained(buckets: OwnBuckets, by: number): void {
    let looks = 2;
    for (const [key, bucket] of buckets) {
      drainsFrom(bucket, by + this.#mostWaitedMs);
      if (nextExcess(bucket, bucket.rate, by) > 0) return;
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
function nextExcess({ excess, at }: Bucket, rate: Rate, now: number): number {
  return Math.max(0, excess + 1 - drained(rate, Math.max(0, now - at)));
}

const drained = ({ rps }: Rate, ms: number): number => (rps * ms) / 1000;

const msFor = (requests: number, { rps }: Rate): number => (requests / rps) * 1000;
