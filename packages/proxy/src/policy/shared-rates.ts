import { RateBuckets } from './rate-buckets.ts';
import type { Rate, TakenRate, TakeRate } from './rate-limits.ts';

export interface SharedRatesOptions {
  /** Asks for up to `most` requests at once. Null: no process counts for all now. Never rejects. */
  readonly ask: (asked: {
    readonly key: string;
    readonly rate: Rate;
    readonly service: string;
    readonly most: number;
    /** How long the first of them has waited. */
    readonly waitedMs: number;
  }) => Promise<TakenRate | null>;
  /** How many processes share the limits; 1 = this one alone. */
  readonly processes: () => number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** Keys of which it is remembered that they have no request left; beyond it, the oldest is asked for again. */
const MOST_EMPTY = 100_000;
/** Requests in one question. */
const MOST_AT_ONCE = 1000;

/** A request that waits for the answer to a question. */
interface Waiting {
  /** Milliseconds: when it came. */
  readonly since: number;
  /** Gets the seconds until the next request is allowed, 0 = this one is; null = it counts by itself. */
  readonly answer: (wait: number | null) => void;
}

/**
 * Limits that several processes share, each of which asks one that counts for all. Requests of the same key that come
 * while a question is open wait for the next one, and share it: there is one question per key at a time, however many
 * requests come, and none while the answer is known to be no. Without an answer each process allows its part.
 */
export class SharedRates {
  readonly #options: SharedRatesOptions;
  readonly #alone: RateBuckets;
  /** Requests without an answer, by key. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** When the next request is allowed, in milliseconds. */
  readonly #empty = new Map<string, number>();

  constructor(options: SharedRatesOptions) {
    this.#options = options;
    this.#alone = new RateBuckets(options.now);
  }

  readonly take: TakeRate = (key, rate, service) => {
    if (this.#options.processes() <= 1) return this.#alone.take(key, rate, service);
    return this.#knownWait(key, rate) ?? this.#taken(key, rate, service);
  };

  /** Seconds until the next request is allowed; null = one may be. */
  #knownWait(key: string, rate: Rate): number | null {
    const wait = (this.#empty.get(key) ?? 0) - this.#options.now();
    // After a step back of the clock it would not be asked for until its old time is reached.
    if (wait > 0 && wait <= longestWaitMs(rate)) return wait / 1000;
    this.#empty.delete(key);
    return null;
  }

  async #taken(key: string, rate: Rate, service: string): Promise<number> {
    const waiting = this.#waiting.get(key);
    const answered = new Promise<number | null>((answer) => {
      const one = { since: this.#options.now(), answer };
      if (waiting === undefined) this.#waiting.set(key, [one]);
      else waiting.push(one);
    });
    if (waiting === undefined) void this.#askAll(key, rate, service);
    const wait = await answered;
    const own = this.#alone.take(key, partOfRate(rate, this.#options.processes()), service);
    return wait ?? (await own);
  }

  /** Until no request waits. */
  async #askAll(key: string, rate: Rate, service: string): Promise<void> {
    const { ask, now } = this.#options;
    const waiting = this.#waiting.get(key) ?? [];
    for (;;) {
      const asked = waiting.splice(0, MOST_AT_ONCE);
      const [first] = asked;
      if (first === undefined) break;
      const waitedMs = Math.max(0, now() - first.since);
      const taken = await ask({ key, rate, service, most: asked.length, waitedMs });
      if (taken === null) for (const { answer } of asked) answer(null);
      else this.#answer(key, { asked, waiting }, taken);
    }
    this.#waiting.delete(key);
  }

  /** `waiting`: those that came after the question. */
  #answer(
    key: string,
    { asked, waiting }: { readonly asked: readonly Waiting[]; readonly waiting: Waiting[] },
    { granted, waitMs }: TakenRate,
  ): void {
    const wait = Math.max(waitMs, 1) / 1000;
    for (const [n, { answer }] of asked.entries()) answer(n < granted ? 0 : wait);
    if (granted >= asked.length) return;
    // A flood would wait for one question after the other.
    for (const { answer } of waiting.splice(MOST_AT_ONCE)) answer(wait);
    this.#empty.set(key, this.#options.now() + waitMs);
    for (const oldest of this.#empty.keys()) {
      if (this.#empty.size <= MOST_EMPTY) break;
      this.#empty.delete(oldest);
    }
  }
}

/** The rate of a process without the others: together no more than the limit, but each one request at a time. */
export function partOfRate({ rps, burst }: Rate, processes: number): Rate {
  return { rps: rps / processes, burst: Math.max(0, Math.floor((burst + 1) / processes) - 1) };
}

/** A full bucket has room again after this time. */
const longestWaitMs = ({ rps }: Rate): number => 1000 / rps;
