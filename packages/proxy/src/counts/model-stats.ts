/** The answers of models and their tokens, by service: of the last minute, and in total. */
import { LATENCY_BUCKETS, latencyBucket } from '@dstack/contract/load';
import { SLICE_MS, SLICES } from '../policy/last-minute.ts';
import {
  durationBucket,
  type LatencyTotals,
  NO_LATENCIES,
  sumOfLatencies,
} from '../policy/latency-totals.ts';

export interface ModelTokens {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Counts of one process. Those of several processes are added up. */
export interface CountedModel extends ModelTokens {
  /** Answers since the process started. */
  readonly answers: number;
  /** Times to the first part of streamed answers; the same. */
  readonly first: LatencyTotals;
  readonly recent: RecentModel;
}

/** The last minute before the report. */
export interface RecentModel extends ModelTokens {
  readonly answers: number;
  /** Numbers and counts of the buckets (see `latencyBucket`) of times to the first part. */
  readonly buckets: readonly (readonly [number, number])[];
}

export const NO_RECENT_MODEL: RecentModel = {
  ...{ answers: 0, promptTokens: 0, completionTokens: 0, buckets: [] },
};

export const NO_MODEL: CountedModel = {
  ...{ answers: 0, promptTokens: 0, completionTokens: 0 },
  ...{ first: NO_LATENCIES, recent: NO_RECENT_MODEL },
};

/** Services that are remembered, as many as by `RequestStats`; the one without an answer for longest is dropped. */
const MAX_SERVICES = 5000;

interface Slice {
  number: number;
  answers: number;
  promptTokens: number;
  completionTokens: number;
  readonly buckets: Uint32Array;
}

interface Known {
  answers: number;
  promptTokens: number;
  completionTokens: number;
  readonly first: { seconds: number; readonly counts: number[] };
  readonly slices: Slice[];
}

export class ModelStats {
  readonly #now: () => number;
  readonly #services = new Map<string, Known>();

  /** `now`: milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `firstMs`: until the first part of the answer; null = it was not streamed. */
  add(runId: string, tokens: ModelTokens, firstMs: number | null): void {
    const known = this.#services.get(runId) ?? newService();
    // To the end: the first one is dropped.
    this.#services.delete(runId);
    this.#services.set(runId, known);
    if (this.#services.size > MAX_SERVICES) this.#dropOldest();
    const slice = this.#slice(known);
    for (const sum of [known, slice]) {
      sum.answers += 1;
      sum.promptTokens += tokens.promptTokens;
      sum.completionTokens += tokens.completionTokens;
    }
    if (firstMs === null) return;
    known.first.seconds += firstMs / 1000;
    increase(known.first.counts, durationBucket(firstMs / 1000));
    increase(slice.buckets, latencyBucket(firstMs));
  }

  /** Null: there was no answer of a model. */
  of(runId: string): CountedModel | null {
    const known = this.#services.get(runId);
    if (known === undefined) return null;
    const { answers, promptTokens, completionTokens, first } = known;
    const oldest = Math.floor(this.#now() / SLICE_MS) - SLICES;
    const slices = known.slices.filter(({ number }) => number > oldest);
    return {
      ...{ answers, promptTokens, completionTokens },
      first: { seconds: first.seconds, counts: [...first.counts] },
      recent: slices.map(recentOf).reduce(sumOfRecentModels, NO_RECENT_MODEL),
    };
  }

  /** The service has ended. */
  forget(runId: string): void {
    this.#services.delete(runId);
  }

  #slice({ slices }: Known): Slice {
    const number = Math.floor(this.#now() / SLICE_MS);
    const slice = slices[number % SLICES] as Slice;
    if (slice.number !== number) {
      Object.assign(slice, { number, answers: 0, promptTokens: 0, completionTokens: 0 });
      slice.buckets.fill(0);
    }
    return slice;
  }

  #dropOldest(): void {
    const [oldest] = this.#services.keys();
    if (oldest !== undefined) this.#services.delete(oldest);
  }
}

function newService(): Known {
  const slices = Array.from({ length: SLICES }, () => ({
    ...{ number: -1, answers: 0, promptTokens: 0, completionTokens: 0 },
    buckets: new Uint32Array(LATENCY_BUCKETS),
  }));
  const first = { seconds: 0, counts: [...NO_LATENCIES.counts] };
  return { answers: 0, promptTokens: 0, completionTokens: 0, first, slices };
}

/** The counts of a process that has ended: its totals, without a last minute. */
export function totalsOfModel(model: CountedModel | null | undefined): CountedModel | null {
  return model ? { ...model, recent: NO_RECENT_MODEL } : null;
}

export function sumOfModels(one: CountedModel, other: CountedModel): CountedModel {
  return {
    answers: one.answers + other.answers,
    ...sumOfTokens(one, other),
    first: sumOfLatencies(one.first, other.first),
    recent: sumOfRecentModels(one.recent, other.recent),
  };
}

export function sumOfRecentModels(one: RecentModel, other: RecentModel): RecentModel {
  const buckets = new Map(one.buckets);
  for (const [bucket, count] of other.buckets) {
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + count);
  }
  return {
    answers: one.answers + other.answers,
    ...sumOfTokens(one, other),
    buckets: [...buckets].sort(([a], [b]) => a - b),
  };
}

const sumOfTokens = (one: ModelTokens, other: ModelTokens): ModelTokens => ({
  promptTokens: one.promptTokens + other.promptTokens,
  completionTokens: one.completionTokens + other.completionTokens,
});

function recentOf({ answers, promptTokens, completionTokens, buckets }: Slice): RecentModel {
  const used = [...buckets.entries()].filter(([, count]) => count > 0);
  return { answers, promptTokens, completionTokens, buckets: used };
}

function increase(counts: number[] | Uint32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
