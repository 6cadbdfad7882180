import type { EjectionCause } from '../policy/outliers.ts';
import type { RecentAnswers } from './replica-stats.ts';

/** A replica of a service, as one process sees it. */
export interface CountedReplica {
  readonly jobId: string;
  /** Requests that it is answering. */
  readonly inFlight: number;
  /** Null: it gets requests. */
  readonly avoided: AvoidedFor | null;
  /** Null: the process does not count its answers, as nginx. */
  readonly recent: RecentAnswers | null;
}

/** Why a replica gets no requests. */
export interface AvoidedFor {
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** Null: it refuses connections. */
  readonly why: EjectionCause | null;
}

/** Replicas of one service in the report of a process; those that nothing is reported of are left out first. */
export const MOST_REPORTED = 1000;

/** Those that have had requests or get none, at most `MOST_REPORTED`. */
export function reportedReplicas(replicas: readonly CountedReplica[]): CountedReplica[] {
  const busy = replicas.filter(
    ({ inFlight, avoided, recent }) =>
      inFlight > 0 || avoided !== null || (recent !== null && recent.requests > 0),
  );
  if (busy.length <= MOST_REPORTED) return busy;
  return busy
    .sort((a, b) => Number(b.avoided !== null) - Number(a.avoided !== null))
    .slice(0, MOST_REPORTED);
}

/**
 * The replicas of a service over several processes. Each process avoids a replica by itself: it counts as avoided if
 * any of them does, until the last one tries it again.
 */
export function sumOfReplicas(parts: readonly (readonly CountedReplica[])[]): CountedReplica[] {
  const sums = new Map<string, CountedReplica>();
  for (const one of parts.flat()) {
    const known = sums.get(one.jobId);
    if (known === undefined) sums.set(one.jobId, one);
    else {
      sums.set(one.jobId, {
        jobId: one.jobId,
        inFlight: known.inFlight + one.inFlight,
        avoided: later(known.avoided, one.avoided),
        recent: sumOfAnswers(known.recent, one.recent),
      });
    }
  }
  return [...sums.values()];
}

/** Null if one is not known: a part would look like the whole. */
function sumOfAnswers(
  one: RecentAnswers | null,
  other: RecentAnswers | null,
): RecentAnswers | null {
  if (one === null || other === null) return null;
  const buckets = new Map(one.buckets);
  for (const [bucket, count] of other.buckets) {
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + count);
  }
  return {
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    buckets: [...buckets].sort(([a], [b]) => a - b),
  };
}

function later(one: AvoidedFor | null, other: AvoidedFor | null): AvoidedFor | null {
  if (one === null || other === null) return one ?? other;
  return one.until >= other.until ? one : other;
}
