import { LastMinute } from '../policy/last-minute.ts';
import { recentRequests } from '../policy/recent-requests.ts';
import { ReplicaCounter, type ReplicaTotals } from '../policy/replica-totals.ts';

/** The requests that a replica has answered in the last minute before the report. */
export interface RecentAnswers {
  readonly requests: number;
  /** Those that it answered by 5xx, or not at all. */
  readonly errors: number;
  /** See `RecentRequests`. */
  readonly buckets: readonly (readonly [number, number])[];
}

/** Counts the requests of one replica: in total until their answers begin, and of the last minute until their end. */
export class ReplicaStats {
  readonly #totals = new ReplicaCounter();
  readonly #minute = new LastMinute();

  /** It has begun to answer. */
  answered(status: number, ms: number): void {
    this.#totals.answer(status, ms);
  }

  /** It has not answered. */
  failed(): void {
    this.#totals.failure();
  }

  /** A request has ended. `status` null: there was no answer. `now`: milliseconds since the epoch. */
  ended(status: number | null, ms: number, now: number): void {
    // The duration of a WebSocket is no latency of the app.
    if (status !== 101) this.#minute.add(status ?? NO_ANSWER, ms, now);
  }

  get totals(): ReplicaTotals {
    return this.#totals.totals;
  }

  recent(now: number): RecentAnswers {
    const { requests, errors, buckets } = recentRequests(
      [{ slices: this.#minute.slices(now) }],
      now,
    );
    return { requests, errors: errors ?? 0, buckets };
  }
}

const NO_ANSWER = 502;
