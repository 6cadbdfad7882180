/** Latencies in buckets, which can be added up over servers and time. */
import { LATENCY_BUCKETS, latencyBound } from '@dstack/contract/load';
import type { LatencyCounts } from '../model/index.ts';

/** In seconds: the upper bound of the bucket in which this part (0 to 1) ends; null = no request. */
export function latencyPercentile(counts: LatencyCounts, part: number): number | null {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let left = Math.ceil(total * part);
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    left -= counts[bucket] ?? 0;
    if (left <= 0) return latencyBound(bucket) / 1000;
  }
  return latencyBound(LATENCY_BUCKETS - 1) / 1000;
}
