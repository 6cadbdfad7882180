/** Which replica gets all requests of one key of affinity. */
import { hash } from 'node:crypto';

/**
 * The candidate with the highest hash: when one is added or removed, only requests to that one move. There
 * is at least one.
 */
export function byAffinity<T extends { readonly jobId: string }>(
  candidates: readonly T[],
  affinity: string,
): T {
  // The value of a header may be long.
  const key = hash('sha1', affinity);
  const ranked = candidates.map((target) => ({
    target,
    rank: hash('sha1', `${target.jobId}\n${key}`),
  }));
  return ranked.reduce((best, one) => (one.rank > best.rank ? one : best)).target;
}
