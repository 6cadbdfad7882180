export { figureOf, QUERY_INTERVAL, queryKey, windowOf } from './figures.ts';
export { latencyBucket } from './latency-buckets.ts';
