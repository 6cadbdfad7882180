/** A process remembers each replica that it has sent requests to, and each of these requests. */
import type { AvoidedFor } from '../counts/counted-replica.ts';
import { ReplicaStats } from '../counts/replica-stats.ts';
import { type EjectionCause, type Ejections, NO_EJECTIONS } from '../policy/outliers.ts';
import { NEW_RECORD, type ReplicaRecord } from '../policy/replica-record.ts';
import type { ReplicaTarget } from '../values.ts';
import { type ReplicaPool, type ReplicaPoolOptions, replicaPool } from './replica-pool.ts';
import { ReplicaSessions } from './replica-sessions.ts';

/** A replica that one request was given to, and its kept-alive connections. */
export interface ConnectedReplica {
  readonly target: ReplicaTarget;
  readonly pool: ReplicaPool;
  /** For gRPC. */
  readonly sessions: ReplicaSessions;
}

export interface KnownReplica extends ConnectedReplica {
  readonly runId: string;
  /** Requests without an answer, and those whose answers have begun. */
  waiting: number;
  streaming: number;
  record: ReplicaRecord;
  /** Answers without an error. */
  goodAnswers: number;
  ejections: Ejections;
  /** The cause of the last ejection. */
  ejectedFor: EjectionCause | null;
  /** Refused connections since the last answer, of which each time that it is avoided counts one. */
  refusals: number;
  /** Milliseconds; 0 = it is not avoided for refused connections. */
  avoidedUntil: number;
  /** Called each time its last request has ended. */
  readonly idle: Set<() => void>;
  readonly stats: ReplicaStats;
}

/** One request. */
export interface ReplicaLease extends ConnectedReplica {
  readonly known: KnownReplica;
  /** All replicas of the service at its beginning. */
  readonly targets: readonly ReplicaTarget[];
  readonly startedAt: number;
  hasAnswer: boolean;
  /** It has reached the replica: the status of the answer; null = there was none. */
  ending: { readonly status: number | null } | null;
  /** When its answer has begun well: errors in a row before it, and good answers up to it. */
  good: { readonly errorsBefore: number; readonly number: number } | null;
}

/** Before its first request. */
export function newReplica(
  runId: string,
  target: ReplicaTarget,
  options: ReplicaPoolOptions,
): KnownReplica {
  const pool = replicaPool(target, options);
  const sessions = new ReplicaSessions({ open: () => options.open(target), port: target.port });
  return {
    ...{ runId, target, pool, sessions, waiting: 0, streaming: 0, record: NEW_RECORD },
    goodAnswers: 0,
    ...{ ejections: NO_EJECTIONS, ejectedFor: null, refusals: 0, avoidedUntil: 0 },
    idle: new Set<() => void>(),
    stats: new ReplicaStats(),
  };
}

export const inFlight = ({ waiting, streaming }: KnownReplica): number => waiting + streaming;

/** Null: it is not avoided. `now`: milliseconds. */
export function avoidedFor(
  { avoidedUntil, ejections, ejectedFor }: KnownReplica,
  now: number,
): AvoidedFor | null {
  if (now < ejections.until) return { until: ejections.until, why: ejectedFor };
  return now < avoidedUntil ? { until: avoidedUntil, why: null } : null;
}
