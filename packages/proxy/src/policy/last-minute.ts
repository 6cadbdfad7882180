import { LATENCY_BUCKETS, latencyBucket } from '@dstack/contract/load';

/** The last minute, in slices that are dropped one by one. */
export const SLICE_MS = 10_000;
export const SLICES = 6;

/** Requests within one slice of time. */
export interface RawSlice {
  /** The number of the slice, counted from the epoch in steps of `SLICE_MS`. */
  readonly number: number;
  readonly count: number;
  /** How many of them were answered by 5xx. Programs of an earlier version report none. */
  readonly errors?: number | undefined;
  /** Numbers (see `latencyBucket`) and counts of the buckets that are not empty. */
  readonly buckets: readonly (readonly [number, number])[];
}

interface Slice {
  number: number;
  count: number;
  errors: number;
  readonly buckets: Uint32Array;
}

/** Counts the requests of one service, or of one replica, of the last minute, in constant memory and time per request. */
export class LastMinute {
  readonly #slices: readonly Slice[] = Array.from({ length: SLICES }, () => ({
    ...{ number: -1, count: 0, errors: 0, buckets: new Uint32Array(LATENCY_BUCKETS) },
  }));

  /** A request has ended. `now`: milliseconds since the epoch; `ms`: how long it took. */
  add(status: number, ms: number, now: number): void {
    const number = Math.floor(now / SLICE_MS);
    const slice = this.#slices[number % SLICES] as Slice;
    if (slice.number !== number) {
      slice.number = number;
      slice.count = 0;
      slice.errors = 0;
      slice.buckets.fill(0);
    }
    slice.count += 1;
    if (status >= 500) slice.errors += 1;
    const bucket = latencyBucket(ms);
    slice.buckets[bucket] = (slice.buckets[bucket] ?? 0) + 1;
  }

  slices(now: number): RawSlice[] {
    const oldest = Math.floor(now / SLICE_MS) - SLICES;
    return this.#slices.filter(({ number }) => number > oldest).map(rawOf);
  }
}

function rawOf({ number, count, errors, buckets }: Slice): RawSlice {
  const used: [number, number][] = [];
  for (const [bucket, many] of buckets.entries()) if (many > 0) used.push([bucket, many]);
  return { number, count, errors, buckets: used };
}
