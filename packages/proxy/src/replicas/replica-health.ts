import { afterEjection, type EjectionCause, ejectedAgain, ejectionOf } from '../policy/outliers.ts';
import { avoidedMs } from '../policy/refusals.ts';
import { afterAnswer, afterBreak, isServerError, NEW_RECORD } from '../policy/replica-record.ts';
import type { ReplicaTarget } from '../values.ts';
import type { ConnectedReplica, KnownReplica, ReplicaLease } from './known-replica.ts';

/** A replica that answers with errors gets no requests for a while. */
export interface EjectedReplica {
  readonly runId: string;
  readonly jobId: string;
  readonly why: EjectionCause;
  readonly ms: number;
}

export interface ReplicaHealthOptions {
  /** By job. */
  readonly replicas: ReadonlyMap<string, KnownReplica>;
  /** Jobs that are being stopped. */
  readonly leaving: ReadonlySet<string>;
  /** Milliseconds. */
  readonly now: () => number;
  readonly onEjected?: (ejected: EjectedReplica) => void;
}

/** Learns from the outcomes of requests which replicas to avoid, and for how long. */
export class ReplicaHealth {
  readonly #options: ReplicaHealthOptions;

  constructor(options: ReplicaHealthOptions) {
    this.#options = options;
  }

  /** See `ReplicaConnections.refused`. */
  refused(replica: ConnectedReplica): void {
    const { known } = replica as ReplicaLease;
    const now = this.#options.now();
    // Requests that were sent before are refused as well.
    if (now < known.avoidedUntil) return;
    known.refusals += 1;
    known.avoidedUntil = now + avoidedMs(known.refusals, now - known.target.runningAt / 1000);
  }

  /** See `ReplicaConnections.answered`. */
  answered(replica: ConnectedReplica, status: number): void {
    const lease = replica as ReplicaLease;
    if (lease.hasAnswer) return;
    lease.hasAnswer = true;
    lease.ending = { status };
    const { known } = lease;
    known.waiting -= 1;
    known.streaming += 1;
    known.refusals = 0;
    known.avoidedUntil = 0;
    const isError = isServerError(status);
    if (!isError) {
      known.goodAnswers += 1;
      lease.good = { errorsBefore: known.record.errorsInRow, number: known.goodAnswers };
    }
    known.stats.answered(status, this.#options.now() - lease.startedAt);
    this.#record(lease, isError);
  }

  /** See `ReplicaConnections.broke`. */
  broke(replica: ConnectedReplica): void {
    const lease = replica as ReplicaLease;
    const { known, good } = lease;
    if (good === null) return;
    lease.good = null;
    const isLatest = known.goodAnswers === good.number;
    const before = Math.max(known.record.errorsInRow, isLatest ? good.errorsBefore : 0);
    known.record = afterBreak(known.record, before, this.#options.now());
    this.#judge(lease);
  }

  /** See `ReplicaConnections.failed`. */
  failed(replica: ConnectedReplica): void {
    const lease = replica as ReplicaLease;
    if (lease.hasAnswer) return;
    lease.ending = { status: null };
    lease.known.stats.failed();
    this.#record(lease, true);
  }

  readonly isHealthy = ({ jobId, isFailing }: ReplicaTarget): boolean =>
    !isFailing && !this.isAvoided(jobId);

  /** Whether it gets no requests for a while, because it answers with errors or refuses connections. */
  isAvoided(jobId: string): boolean {
    const known = this.#options.replicas.get(jobId);
    const until = known === undefined ? 0 : Math.max(known.avoidedUntil, known.ejections.until);
    return until > 0 && this.#options.now() < until;
  }

  #isOutlier(jobId: string): boolean {
    const until = this.#options.replicas.get(jobId)?.ejections.until ?? 0;
    return until > 0 && this.#options.now() < until;
  }

  #record(lease: ReplicaLease, isError: boolean): void {
    const { known, startedAt } = lease;
    const now = this.#options.now();
    known.record = afterAnswer(known.record, { isError, ms: now - startedAt }, now);
    if (isError) this.#judge(lease);
  }

  /** After an error. */
  #judge({ known, targets }: ReplicaLease): void {
    const { replicas, leaving, onEjected } = this.#options;
    const now = this.#options.now();
    // Answers to requests from before the ejection.
    if (now < known.ejections.until) return;
    const others = targets.filter(({ jobId }) => jobId !== known.target.jobId);
    const peers = others.map((target) => ({
      record: replicas.get(target.jobId)?.record ?? NEW_RECORD,
      isEjected: this.#isOutlier(target.jobId),
      isUsable: this.isHealthy(target) && !leaving.has(target.jobId),
    }));
    const why = ejectionOf(known.record, peers, now);
    if (why === null) return;
    known.ejections = ejectedAgain(known.ejections, now);
    known.ejectedFor = why;
    known.record = afterEjection(known.record);
    const ejected = { runId: known.runId, jobId: known.target.jobId, why };
    onEjected?.({ ...ejected, ms: known.ejections.until - now });
  }
}
