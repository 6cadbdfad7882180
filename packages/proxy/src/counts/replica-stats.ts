import { recentRequests } from '../policy/recent-requests.ts';
import { RequestStats } from '../policy/service-stats.ts';

/** The requests that a replica has answered in the last minute before the report. */
export interface RecentAnswers {
  readonly requests: number;
  /** Those that it answered by 5xx, or not at all. */
  readonly errors: number;
  /** See `RecentRequests`. */
  readonly buckets: readonly (readonly [number, number])[];
}

/** Counts the requests of each replica. */
export class ReplicaStats {
  readonly #now: () => number;
  readonly #stats: RequestStats;

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#stats = new RequestStats(now);
  }

  /** A request has ended. `status` null: there was no answer. */
  add(jobId: string, status: number | null, ms: number): void {
    // The duration of a WebSocket is no latency of the app.
    if (status !== 101) this.#stats.add({ ...NAMELESS, runId: jobId }, status ?? NO_ANSWER, ms);
  }

  of(jobId: string): RecentAnswers {
    const { requests, errors, buckets } = recentRequests([this.#stats.raw(jobId)], this.#now());
    return { requests, errors: errors ?? 0, buckets };
  }

  forget(jobId: string): void {
    this.#stats.forget(jobId);
  }
}

const NAMELESS = { projectName: '', runName: '' };
const NO_ANSWER = 502;
