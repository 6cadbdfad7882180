/** Latencies in buckets, which can be added up over servers and time. */
import type { LatencyCounts } from '../model/index.ts';

/** Bounds grow by a quarter from half a millisecond to over an hour: the error is below that. */
const FIRST_MS = 0.5;
const GROWTH = 1.25;
const BUCKETS = 72;

/** The bucket of a latency in milliseconds. */
export function latencyBucket(ms: number): number {
  if (ms <= FIRST_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)));
}

/** In seconds: the upper bound of the bucket in which this part (0 to 1) ends; null = no request. */
export function latencyPercentile(counts: LatencyCounts, part: number): number | null {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let left = Math.ceil(total * part);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    left -= counts[bucket] ?? 0;
    if (left <= 0) return (FIRST_MS * GROWTH ** bucket) / 1000;
  }
  return (FIRST_MS * GROWTH ** (BUCKETS - 1)) / 1000;
}
