/** The results of recent requests to a replica. All times are in milliseconds. */
export interface ReplicaRecord {
  /** When the sums below were last reduced. */
  readonly at: number;
  /** Recent answers and errors: each counts half as much after `HALF_LIFE_MS`. */
  readonly answers: number;
  readonly errors: number;
  /** Errors since the last other answer. */
  readonly errorsInRow: number;
  /** The part of errors among the last answers, from 0 to 1, whenever they were. */
  readonly errorShare: number;
  /** Until the head of an answer without an error, on average of the latest; null = there was none. */
  readonly latency: number | null;
  /** Requests that it got recently; each counts half as much after `HALF_LIFE_MS`. */
  readonly starts: number;
}

export interface Answer {
  readonly isError: boolean;
  /** Until its head. */
  readonly ms: number;
}

export const HALF_LIFE_MS = 10_000;

/** How much a single answer changes the averages. */
const WEIGHT = 1 / 8;

export const NEW_RECORD: ReplicaRecord = {
  ...{ at: 0, answers: 0, errors: 0, errorsInRow: 0, errorShare: 0, latency: null, starts: 0 },
};

/** Statuses of a broken replica. 501 and 505 are answers to the request. */
export function isServerError(status: number): boolean {
  return status >= 500 && status <= 599 && status !== 501 && status !== 505;
}

export function afterStart(record: ReplicaRecord, now: number): ReplicaRecord {
  const reduced = reducedTo(record, now);
  return { ...reduced, starts: reduced.starts + 1 };
}

export function afterAnswer(
  record: ReplicaRecord,
  { isError, ms }: Answer,
  now: number,
): ReplicaRecord {
  const reduced = reducedTo(record, now);
  const { errorShare, latency } = reduced;
  return {
    ...reduced,
    answers: reduced.answers + 1,
    errors: reduced.errors + (isError ? 1 : 0),
    errorsInRow: isError ? reduced.errorsInRow + 1 : 0,
    errorShare: errorShare + ((isError ? 1 : 0) - errorShare) * WEIGHT,
    latency: isError ? latency : latency === null ? ms : latency + (ms - latency) * WEIGHT,
  };
}

/**
 * An answer that had begun well was not completed: it counts as an error after all. `before`: errors in a row before
 * it; without another good answer since then it is one more of them.
 */
export function afterBreak(record: ReplicaRecord, before: number, now: number): ReplicaRecord {
  const reduced = reducedTo(record, now);
  const { answers, errors, errorShare } = reduced;
  return {
    ...reduced,
    errors: Math.min(errors + 1, answers),
    errorsInRow: before + 1,
    errorShare: errorShare + (1 - errorShare) * WEIGHT,
  };
}

/** How much of something that was seen last at `record.at` still counts now, from 0 to 1. */
export function remaining({ at }: ReplicaRecord, now: number): number {
  // The clock may be set back.
  return 2 ** (-Math.max(0, now - at) / HALF_LIFE_MS);
}

export function reducedTo(record: ReplicaRecord, now: number): ReplicaRecord {
  const part = remaining(record, now);
  return {
    ...record,
    at: now,
    answers: record.answers * part,
    errors: record.errors * part,
    starts: record.starts * part,
  };
}
