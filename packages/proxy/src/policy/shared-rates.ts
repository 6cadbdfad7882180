import { RateBuckets } from './rate-buckets.ts';
import type { Rate, TakenRate, TakeRate } from './rate-limits.ts';

export interface SharedRatesOptions {
  /** Asks for up to `most` requests at once. Null: no process counts for all now. Never rejects. */
  readonly ask: (asked: {
    readonly key: string;
    readonly rate: Rate;
    readonly service: string;
    readonly most: number;
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

/** A request that waits for the answer to a question: null = it counts by itself. */
type Waiting = (wait: number | null) => void;

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
    const { now, processes } = this.#options;
    if (processes() <= 1) return this.#alone.take(key, rate, service);
    const wait = (this.#empty.get(key) ?? 0) - now();
    // After a step back of the clock it would not be asked for until its old time is reached.
    if (wait > 0 && wait <= longestWaitMs(rate)) return wait / 1000;
    this.#empty.delete(key);
    return this.#taken(key, rate, service);
  };

  async #taken(key: string, rate: Rate, service: string): Promise<number> {
    const waiting = this.#waiting.get(key);
    const answered = new Promise<number | null>((resolve) => {
      if (waiting === undefined) this.#waiting.set(key, [resolve]);
      else waiting.push(resolve);
    });
    if (waiting === undefined) void this.#askAll(key, rate, service);
    const wait = await answered;
    const own = this.#alone.take(key, partOfRate(rate, this.#options.processes()), service);
    return wait ?? (await own);
  }

  /** Until no request waits. */
  async #askAll(key: string, rate: Rate, service: string): Promise<void> {
    for (;;) {
      const waiting = this.#waiting.get(key) ?? [];
      if (waiting.length === 0) {
        this.#waiting.delete(key);
        return;
      }
      const most = Math.min(waiting.length, rate.burst + 1, MOST_AT_ONCE);
      const taken = await this.#options.ask({ key, rate, service, most });
      if (taken === null) for (const answer of waiting.splice(0)) answer(null);
      else this.#answer(key, waiting, taken);
    }
  }

  #answer(key: string, waiting: Waiting[], { granted, waitMs }: TakenRate): void {
    for (const answer of waiting.splice(0, granted)) answer(0);
    if (granted > 0) return;
    this.#empty.set(key, this.#options.now() + waitMs);
    for (const oldest of this.#empty.keys()) {
      if (this.#empty.size <= MOST_EMPTY) break;
      this.#empty.delete(oldest);
    }
    for (const answer of waiting.splice(0)) answer(Math.max(waitMs, 1) / 1000);
  }
}

/** The rate of a process without the others: together no more than the limit, but each one request at a time. */
export function partOfRate({ rps, burst }: Rate, processes: number): Rate {
  return { rps: rps / processes, burst: Math.max(0, Math.floor((burst + 1) / processes) - 1) };
}

/** A full bucket has room again after this time. */
const longestWaitMs = ({ rps }: Rate): number => 1000 / rps;
