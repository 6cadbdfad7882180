/** When a replica that answers with errors, while others do not, gets no requests for a while. */
import type { ReplicaRecord } from './replica-record.ts';
import { NEW_RECORD, reducedTo } from './replica-record.ts';

/** The ejections of one replica. Milliseconds. */
export interface Ejections {
  /** Grows with every ejection, and falls again in time. */
  readonly level: number;
  /** 0 = it was never ejected. */
  readonly until: number;
}

export const NO_EJECTIONS: Ejections = { level: 0, until: 0 };

export type EjectionCause =
  | { readonly cause: 'errors_in_row'; readonly errors: number }
  /** Parts of all recent answers, from 0 to 1: its own, and those of the others. */
  | { readonly cause: 'error_rate'; readonly rate: number; readonly others: number };

/** Another replica of the service. */
export interface Peer {
  readonly record: ReplicaRecord;
  /** Ejected by this policy. */
  readonly isEjected: boolean;
  /** It may get requests: it is not ejected, accepts connections, and passes its probes. */
  readonly isUsable: boolean;
}

/** Errors in a row, while the others have hardly any. */
export const IN_ROW = 5;
/** So many suffice after an ejection: it has not recovered. */
const IN_ROW_AGAIN = 2;
/** The part of errors up to which the others count as healthy. */
const HEALTHY = 0.1;

/** Recent answers that are enough for a rate. */
const ENOUGH = 20;
/** By so much its rate must be above that of the others. */
const WORSE_BY = 0.3;

/** At most this part of the replicas is ejected. */
const MOST = 0.5;

const FIRST_MS = 5000;
const LONGEST_MS = 300_000;
/** After each such time without an ejection, the next one is one level shorter. */
const RECOVERY_MS = 60_000;

/**
 * Whether a replica is to be ejected after an error; null = not. Errors that all replicas send are no reason: then
 * the app or its callers are at fault. Nor is there one if too many are ejected already, or if no other replica
 * could take its requests.
 */
export function ejectionOf(
  own: ReplicaRecord,
  peers: readonly Peer[],
  now: number,
): EjectionCause | null {
  const usable = peers.filter(({ isUsable }) => isUsable);
  if (usable.length === 0) return null;
  const ejected = peers.filter(({ isEjected }) => isEjected).length;
  if (ejected + 1 > Math.floor((peers.length + 1) * MOST)) return null;
  const others = sumOf(usable.map(({ record }) => reducedTo(record, now)));
  const othersRate = rateOf(others) ?? 0;
  if (own.errorsInRow >= IN_ROW && othersRate <= HEALTHY) {
    return { cause: 'errors_in_row', errors: own.errorsInRow };
  }
  const { answers, errors } = reducedTo(own, now);
  const rate = rateOf({ answers, errors });
  if (rate === null || answers < ENOUGH || others.answers < ENOUGH) return null;
  return rate >= othersRate + WORSE_BY ? { cause: 'error_rate', rate, others: othersRate } : null;
}

/** An ejection that begins now, longer than the last one unless that was long ago. */
export function ejectedAgain({ level, until }: Ejections, now: number): Ejections {
  const recovered = until === 0 ? 0 : Math.floor(Math.max(0, now - until) / RECOVERY_MS);
  const next = Math.max(0, level - recovered) + 1;
  return { level: next, until: now + ejectionMs(next) };
}

/** `level`: from 1 on. */
export function ejectionMs(level: number): number {
  return Math.min(FIRST_MS * 2 ** (level - 1), LONGEST_MS);
}

/** The record of a replica when its ejection begins: afterwards it is judged by new answers alone. */
export function afterEjection({ starts, at }: ReplicaRecord): ReplicaRecord {
  return { ...NEW_RECORD, at, starts, errorsInRow: IN_ROW - IN_ROW_AGAIN };
}

interface Counts {
  readonly answers: number;
  readonly errors: number;
}

function sumOf(records: readonly Counts[]): Counts {
  const sum = (of: (one: Counts) => number) => records.reduce((all, one) => all + of(one), 0);
  return { answers: sum((one) => one.answers), errors: sum((one) => one.errors) };
}

/** Null: there were hardly any answers. */
function rateOf({ answers, errors }: Counts): number | null {
  return answers < 0.5 ? null : errors / answers;
}
