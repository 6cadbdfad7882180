/** Requests of the last minute, in a form that is added up over processes, gateways and servers. */
import { LATENCY_BUCKETS, latencyBound } from '@dstack/contract/load';
import { type RawSlice, SLICE_MS, SLICES } from './last-minute.ts';

export interface RecentRequests {
  /** Seconds that are covered: up to a minute, the last slice of which has only begun. */
  readonly seconds: number;
  readonly requests: number;
  /** Answers by 5xx; null = a program of an earlier version has counted some of them, and does not report it. */
  readonly errors: number | null;
  /** Numbers of the buckets of latencies (see `latencyBucket`) that are not empty, and their counts. */
  readonly buckets: readonly (readonly [number, number])[];
}

/** `now`: milliseconds since the epoch, by the clock that has numbered the slices. */
export function recentRequests(
  raws: readonly { readonly slices: readonly RawSlice[] }[],
  now: number,
): RecentRequests {
  const current = Math.floor(now / SLICE_MS);
  const slices = raws
    .flatMap((raw) => raw.slices)
    .filter(({ number }) => number > current - SLICES);
  return {
    seconds: ((SLICES - 1) * SLICE_MS + (now % SLICE_MS)) / 1000,
    requests: slices.reduce((sum, { count }) => sum + count, 0),
    errors: slices.reduce<number | null>(
      (sum, { count, errors }) =>
        count === 0 ? sum : sumOrNull(sum, errors === undefined ? null : errors),
      0,
    ),
    buckets: sumOfBuckets(slices.map(({ buckets }) => buckets)),
  };
}

/** The sum of several sources; each covers its own last minute, whatever its clock shows. */
export function sumOfRecent(parts: readonly RecentRequests[]): RecentRequests {
  return {
    seconds: Math.max(0, ...parts.map(({ seconds }) => seconds)),
    requests: parts.reduce((sum, { requests }) => sum + requests, 0),
    errors: parts.reduce<number | null>((sum, { errors }) => sumOrNull(sum, errors), 0),
    buckets: sumOfBuckets(parts.map(({ buckets }) => buckets)),
  };
}

/** Milliseconds within which this part (0 to 1) of the requests ended; null = there were none. */
export function recentPercentile(
  { buckets }: Pick<RecentRequests, 'buckets'>,
  part: number,
): number | null {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  let left = Math.ceil(total * part);
  for (const [bucket, count] of [...buckets].sort(([a], [b]) => a - b)) {
    left -= count;
    if (left <= 0) return rounded(latencyBound(Math.min(bucket, LATENCY_BUCKETS - 1)));
  }
  return rounded(latencyBound(LATENCY_BUCKETS - 1));
}

function sumOfBuckets(all: readonly RecentRequests['buckets'][]): RecentRequests['buckets'] {
  const sums = new Map<number, number>();
  for (const buckets of all) {
    for (const [bucket, count] of buckets) sums.set(bucket, (sums.get(bucket) ?? 0) + count);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

const sumOrNull = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? null : one + other;

const rounded = (ms: number): number => Math.round(ms * 100) / 100;
