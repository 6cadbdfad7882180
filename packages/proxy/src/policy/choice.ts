/** Which of two replicas gets a request. */
import { type ReplicaRecord, remaining } from './replica-record.ts';

export interface RatedReplica {
  readonly record: ReplicaRecord;
  /** Requests that it has not begun to answer. */
  readonly waiting: number;
  /** Requests whose answers it is sending. */
  readonly streaming: number;
}

/** How much slower and worse a replica may count, as if it had so many times the requests. */
const MOST_SLOW = 4;
const MOST_ERRORS = 3;

/** Latencies are compared after this was added to both (ms): differences of a moment mean nothing. */
const MOMENT_MS = 50;
/** Below this ratio two latencies count as equal. */
const SLOWER = 1.5;
/** Recent answers from which a latency is known. */
const ENOUGH = 3;

/**
 * Streams may make the share of new requests of the other one so many times that of this one, and so many requests
 * beyond: a new replica has no streams yet, and would get all requests until it has as many.
 */
const MOST_STARTS = 1.5;
const FREE_STARTS = 4;

/**
 * Whether the other one should get the request rather than the one whose turn it is: it has fewer requests, which
 * count more if they take longer there or fail.
 */
export function isBetter(other: RatedReplica, turn: RatedReplica, now: number): boolean {
  const gain = (of: (one: RatedReplica) => number) =>
    of(turn) * dearness(turn, other, now) - of(other) * dearness(other, turn, now);
  if (gain(({ waiting, streaming }) => 1 + waiting + streaming) < 1) return false;
  if (gain(({ waiting }) => 1 + waiting) >= 1) return true;
  return startsOf(other, now) <= MOST_STARTS * startsOf(turn, now) + FREE_STARTS;
}

function startsOf({ record }: RatedReplica, now: number): number {
  return record.starts * remaining(record, now);
}

/**
 * How many times as much a request counts at a replica that is slow or fails. The record loses its effect in
 * time, so that a replica that is avoided is tried again.
 */
function dearness({ record }: RatedReplica, other: RatedReplica, now: number): number {
  const part = remaining(record, now);
  const slow = 1 + (slownessOf(record, other.record) - 1) * part;
  const failing = 1 + (MOST_ERRORS - 1) * record.errorShare * part;
  return slow * failing;
}

function slownessOf(own: ReplicaRecord, other: ReplicaRecord): number {
  if (own.latency === null || other.latency === null || own.answers < ENOUGH) return 1;
  const ratio = (own.latency + MOMENT_MS) / (other.latency + MOMENT_MS);
  return ratio < SLOWER ? 1 : Math.min(ratio, MOST_SLOW);
}
