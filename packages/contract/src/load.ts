/** How the load of services is measured, so that counts of several processes can be added up. */

/** Seconds of one slot of measured load. */
export const LOAD_SLOT = 5;

/** Bounds of latencies grow by a quarter from half a millisecond to over an hour: the error is below that. */
const FIRST_MS = 0.5;
const GROWTH = 1.25;
export const LATENCY_BUCKETS = 72;

/** The bucket of a latency in milliseconds. */
export function latencyBucket(ms: number): number {
  if (ms <= FIRST_MS) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)));
}

/** The upper bound of a bucket, in milliseconds. */
export const latencyBound = (bucket: number): number => FIRST_MS * GROWTH ** bucket;
