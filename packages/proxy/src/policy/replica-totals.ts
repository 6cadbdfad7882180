import {
  durationBucket,
  type LatencyTotals,
  NO_LATENCIES,
  sumOfLatencies,
} from './latency-totals.ts';

/** The requests that a process has given to one replica. */
export interface ReplicaTotals {
  /** By the hundreds of the status; `failed` = it took the request and gave no answer. */
  readonly answered: Readonly<Record<string, number>>;
  /** The times until its answers began. */
  readonly latencies: LatencyTotals;
}

/** By the id of the job. */
export type TotalsByReplica = Readonly<Record<string, ReplicaTotals>>;

/** Replicas of one service that are counted by themselves, the latest ones. */
export const MOST_REPLICAS = 200;

/** Counts the requests of one replica. */
export class ReplicaCounter {
  readonly #answered: Record<string, number> = {};
  readonly #counts = [...NO_LATENCIES.counts];
  #seconds = 0;

  /** `ms`: until the answer began. */
  answer(status: number, ms: number): void {
    this.#count(`${Math.floor(status / 100)}xx`);
    const bucket = durationBucket(ms / 1000);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#seconds += ms / 1000;
  }

  failure(): void {
    this.#count('failed');
  }

  get totals(): ReplicaTotals {
    const latencies = { seconds: this.#seconds, counts: [...this.#counts] };
    return { answered: { ...this.#answered }, latencies };
  }

  #count(outcome: string): void {
    this.#answered[outcome] = (this.#answered[outcome] ?? 0) + 1;
  }
}

export function sumOfTotals(one: TotalsByReplica, other: TotalsByReplica): TotalsByReplica {
  const sums = new Map(Object.entries(one));
  for (const [jobId, totals] of Object.entries(other)) {
    const before = sums.get(jobId);
    // To the end, among the latest ones: a replica that goes on must not be dropped for newer ones that have left.
    sums.delete(jobId);
    sums.set(jobId, before ? sumOfReplica(before, totals) : totals);
  }
  return Object.fromEntries([...sums].slice(-MOST_REPLICAS));
}

function sumOfReplica(one: ReplicaTotals, other: ReplicaTotals): ReplicaTotals {
  const answered = { ...one.answered };
  for (const [outcome, more] of Object.entries(other.answered)) {
    answered[outcome] = (answered[outcome] ?? 0) + more;
  }
  return { answered, latencies: sumOfLatencies(one.latencies, other.latencies) };
}
