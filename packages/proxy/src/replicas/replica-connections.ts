import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Pool } from 'undici';
import type { AvoidedFor, CountedReplica } from '../counts/counted-replica.ts';
import { ReplicaStats } from '../counts/replica-stats.ts';
import { MAX_HEADERS } from '../head/raw-headers.ts';
import { isBetter } from '../policy/choice.ts';
import {
  afterEjection,
  type EjectionCause,
  type Ejections,
  ejectedAgain,
  ejectionOf,
  NO_EJECTIONS,
} from '../policy/outliers.ts';
import { avoidedMs } from '../policy/refusals.ts';
import {
  afterAnswer,
  afterBreak,
  afterStart,
  isServerError,
  NEW_RECORD,
  type ReplicaRecord,
} from '../policy/replica-record.ts';
import type { TotalsByReplica } from '../policy/replica-totals.ts';
import type { ReplicaTarget } from '../values.ts';
import { ReplicaSessions } from './replica-sessions.ts';
import { ConnectFailure } from './upstream-failure.ts';

/** Opens a connection to the app of a replica. */
export type OpenPort = (replica: ReplicaTarget) => Promise<Duplex>;

export interface ReplicaConnectionsOptions {
  readonly open: OpenPort;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
  /** Milliseconds. */
  readonly now: () => number;
  /** From 0 (inclusive) to 1. */
  readonly random?: () => number;
  readonly onEjected?: (ejected: EjectedReplica) => void;
}

/** A replica that answers with errors gets no requests for a while. */
export interface EjectedReplica {
  readonly runId: string;
  readonly jobId: string;
  readonly why: EjectionCause;
  readonly ms: number;
}

/** A replica that one request was given to, and its kept-alive connections. */
export interface ConnectedReplica {
  readonly target: ReplicaTarget;
  readonly pool: Pool;
  /** For gRPC. */
  readonly sessions: ReplicaSessions;
}

/** One request. */
interface Lease extends ConnectedReplica {
  readonly known: Known;
  /** All replicas of the service at its beginning. */
  readonly targets: readonly ReplicaTarget[];
  readonly startedAt: number;
  hasAnswer: boolean;
  /** It has reached the replica: the status of the answer; null = there was none. */
  ending: { readonly status: number | null } | null;
  /** When its answer has begun well: errors in a row before it, and good answers up to it. */
  good: { readonly errorsBefore: number; readonly number: number } | null;
}

interface Known extends ConnectedReplica {
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

/**
 * Connections to replicas, opened with the first request and closed when the replica is removed.
 */
export class ReplicaConnections {
  readonly #options: ReplicaConnectionsOptions;
  readonly #replicas = new Map<string, Known>();
  /** The same by run: figures of each service are read every second, and one of them must not cost what all do. */
  readonly #byRun = new Map<string, Set<Known>>();
  /** Jobs that are being stopped: no new requests are sent to them. */
  readonly #leaving = new Set<string>();
  #turn = 0;

  constructor(options: ReplicaConnectionsOptions) {
    this.#options = options;
  }

  /**
   * The better of two replicas, one in turn and one at random (see `policy/`). Null: all are `tried` or
   * leaving. Replicas with a failing probe are used if there is no other, ejected ones and those that refuse
   * connections if there is nothing else. Call `answered` or `failed` with the result, and `release` when the
   * request has ended. Requests of the same `affinity` receive the same replica, in every process, as long as
   * it is one of those.
   */
  acquire(
    runId: string,
    targets: readonly ReplicaTarget[],
    tried: ReadonlySet<string> = NONE,
    affinity: string | null = null,
  ): ConnectedReplica | null {
    const candidates = this.#candidates(targets, tried);
    const count = candidates.length;
    if (count === 0) return null;
    if (affinity !== null) {
      return this.#taken(this.#known(runId, chosen(candidates, affinity)), targets);
    }
    this.#turn += 1;
    const { random = Math.random, now } = this.#options;
    let best = this.#known(runId, candidates[this.#turn % count] as ReplicaTarget);
    if (count > 1) {
      const step = 1 + Math.floor(random() * (count - 1));
      const other = candidates[(this.#turn + step) % count] as ReplicaTarget;
      const second = this.#known(runId, other);
      if (isBetter(second, best, now())) best = second;
    }
    return this.#taken(best, targets);
  }

  #taken(known: Known, targets: readonly ReplicaTarget[]): Lease {
    const { target, pool, sessions } = known;
    const startedAt = this.#options.now();
    known.waiting += 1;
    known.record = afterStart(known.record, startedAt);
    const begun = { hasAnswer: false, ending: null, good: null };
    return { target, pool, sessions, known, targets, startedAt, ...begun };
  }

  /** The replica has refused a connection: others are preferred for a while, longer each time. */
  refused(replica: ConnectedReplica): void {
    const { known } = replica as Lease;
    const now = this.#options.now();
    // Requests that were sent before are refused as well.
    if (now < known.avoidedUntil) return;
    known.refusals += 1;
    known.avoidedUntil = now + avoidedMs(known.refusals, now - known.target.runningAt / 1000);
  }

  /** The replica has begun to answer. Only the first call for a request counts. */
  answered(replica: ConnectedReplica, status: number): void {
    const lease = replica as Lease;
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

  /** The answer has begun, and the replica has not completed it. Only the first call for a request counts. */
  broke(replica: ConnectedReplica): void {
    const lease = replica as Lease;
    const { known, good } = lease;
    if (good === null) return;
    lease.good = null;
    const isLatest = known.goodAnswers === good.number;
    const before = Math.max(known.record.errorsInRow, isLatest ? good.errorsBefore : 0);
    known.record = afterBreak(known.record, before, this.#options.now());
    this.#judge(lease);
  }

  /** The replica has taken the request, and has not answered it. */
  failed(replica: ConnectedReplica): void {
    const lease = replica as Lease;
    if (lease.hasAnswer) return;
    lease.ending = { status: null };
    lease.known.stats.failed();
    this.#record(lease, true);
  }

  #record(lease: Lease, isError: boolean): void {
    const { known, startedAt } = lease;
    const now = this.#options.now();
    known.record = afterAnswer(known.record, { isError, ms: now - startedAt }, now);
    if (isError) this.#judge(lease);
  }

  /** After an error. */
  #judge({ known, targets }: Lease): void {
    const now = this.#options.now();
    // Answers to requests from before the ejection.
    if (now < known.ejections.until) return;
    const others = targets.filter(({ jobId }) => jobId !== known.target.jobId);
    const peers = others.map((target) => ({
      record: this.#replicas.get(target.jobId)?.record ?? NEW_RECORD,
      isEjected: this.#isOutlier(target.jobId),
      isUsable: this.#isHealthy(target) && !this.#leaving.has(target.jobId),
    }));
    const why = ejectionOf(known.record, peers, now);
    if (why === null) return;
    known.ejections = ejectedAgain(known.ejections, now);
    known.ejectedFor = why;
    known.record = afterEjection(known.record);
    const ejected = { runId: known.runId, jobId: known.target.jobId, why };
    this.#options.onEjected?.({ ...ejected, ms: known.ejections.until - now });
  }

  /** Whether other replicas are preferred. */
  isEjected({ jobId, isFailing }: ReplicaTarget): boolean {
    return isFailing || this.#isAvoided(jobId);
  }

  /** Replicas of a run that other replicas are preferred to. */
  ejectedOf(runId: string): number {
    return this.#of(runId).filter(({ target }) => this.isEjected(target)).length;
  }

  /** The answers of the present replicas of a run, by job. */
  totalsOf(runId: string): TotalsByReplica {
    return Object.fromEntries(
      this.#of(runId).map(({ target, stats }) => [target.jobId, stats.totals]),
    );
  }

  /** The replicas of a run that have had requests. */
  countedOf(runId: string): CountedReplica[] {
    const now = this.#options.now();
    return this.#of(runId).map((replica) => ({
      jobId: replica.target.jobId,
      inFlight: inFlight(replica),
      avoided: avoidedFor(replica, now),
      recent: replica.stats.recent(now),
    }));
  }

  /** Whether any of these may receive a request. */
  some(targets: readonly ReplicaTarget[]): boolean {
    return targets.some((target) => !this.#leaving.has(target.jobId));
  }

  /** Pending requests of a run. */
  pending(runId: string): number {
    return this.#of(runId).reduce((count, replica) => count + inFlight(replica), 0);
  }

  /** Pending requests per replica. */
  load(targets: readonly ReplicaTarget[]): number {
    const pending = targets.map(({ jobId }) => {
      const known = this.#replicas.get(jobId);
      return known === undefined ? 0 : inFlight(known);
    });
    return pending.reduce((sum, count) => sum + count, 0) / Math.max(1, targets.length);
  }

  release(replica: ConnectedReplica): void {
    const { known, hasAnswer, ending, startedAt } = replica as Lease;
    if (hasAnswer) known.streaming -= 1;
    else known.waiting -= 1;
    if (ending !== null) {
      const now = this.#options.now();
      known.stats.ended(ending.status, now - startedAt, now);
    }
    if (inFlight(known) > 0) return;
    for (const notify of known.idle) notify();
  }

  /** Opens a connection outside of the pool, for a WebSocket. Rejects with `ConnectFailure`. */
  async open({ target }: ConnectedReplica): Promise<Duplex> {
    try {
      return await this.#options.open(target);
    } catch (error) {
      throw new ConnectFailure(target.port, error);
    }
  }

  /** Whether there are connections to replicas of this run. */
  holds(runId: string): boolean {
    return this.#byRun.has(runId);
  }

  /** Drops the run's replicas that are not among these; pending requests are completed. */
  keepOnly(runId: string, targets: readonly ReplicaTarget[]): void {
    const present = new Set(targets.map((target) => target.jobId));
    for (const replica of this.#of(runId)) {
      const { jobId } = replica.target;
      if (present.has(jobId)) continue;
      if (inFlight(replica) > 0) replica.idle.add(() => this.#drop(jobId));
      else this.#drop(jobId);
    }
  }

  /**
   * Sends no more requests to a job that is about to be stopped. Returns true if it has no pending
   * requests; otherwise calls `whenIdle` once that may be so.
   */
  leave(jobId: string, whenIdle: () => void): boolean {
    if (!this.#leaving.has(jobId)) {
      this.#leaving.add(jobId);
      setTimeout(() => this.#leaving.delete(jobId), ROUTES_FOLLOW_MS).unref();
    }
    const replica = this.#replicas.get(jobId);
    if (replica === undefined || inFlight(replica) === 0) return true;
    replica.idle.add(whenIdle);
    return false;
  }

  close(): void {
    const all = [...this.#replicas.values()];
    this.#replicas.clear();
    this.#byRun.clear();
    for (const { pool, sessions } of all) {
      void pool.destroy();
      sessions.destroy();
    }
  }

  #candidates(
    targets: readonly ReplicaTarget[],
    tried: ReadonlySet<string>,
  ): readonly ReplicaTarget[] {
    if (tried.size === 0 && this.#leaving.size === 0 && targets.every(this.#isHealthy)) {
      return targets;
    }
    const usable: ReplicaTarget[] = [];
    const open: ReplicaTarget[] = [];
    const healthy: ReplicaTarget[] = [];
    for (const target of targets) {
      if (tried.has(target.jobId) || this.#leaving.has(target.jobId)) continue;
      usable.push(target);
      if (this.#isAvoided(target.jobId)) continue;
      open.push(target);
      if (!target.isFailing) healthy.push(target);
    }
    if (healthy.length > 0) return healthy;
    return open.length > 0 ? open : usable;
  }

  readonly #isHealthy = ({ jobId, isFailing }: ReplicaTarget): boolean =>
    !isFailing && !this.#isAvoided(jobId);

  #isAvoided(jobId: string): boolean {
    const known = this.#replicas.get(jobId);
    const until = known === undefined ? 0 : Math.max(known.avoidedUntil, known.ejections.until);
    return until > 0 && this.#options.now() < until;
  }

  #isOutlier(jobId: string): boolean {
    const until = this.#replicas.get(jobId)?.ejections.until ?? 0;
    return until > 0 && this.#options.now() < until;
  }

  #of(runId: string): Known[] {
    return [...(this.#byRun.get(runId) ?? [])];
  }

  #known(runId: string, target: ReplicaTarget): Known {
    return this.#replicas.get(target.jobId) ?? this.#make(runId, target);
  }

  #make(runId: string, target: ReplicaTarget): Known {
    const { open, timeoutMs } = this.#options;
    const pool = new Pool('http://replica', {
      // One connection per request: long streams must not delay other requests.
      connections: null,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: MAX_IDLE_MS,
      connect: (_options, callback) => {
        open(target).then(
          (socket) => callback(null, socket as never),
          (error) => callback(new ConnectFailure(target.port, error), null),
        );
      },
    });
    const sessions = new ReplicaSessions({ open: () => open(target), port: target.port });
    const known: Known = {
      ...{ runId, target, pool, sessions, waiting: 0, streaming: 0, record: NEW_RECORD },
      goodAnswers: 0,
      ...{ ejections: NO_EJECTIONS, ejectedFor: null, refusals: 0, avoidedUntil: 0 },
      idle: new Set<() => void>(),
      stats: new ReplicaStats(),
    };
    this.#replicas.set(target.jobId, known);
    const ofRun = this.#byRun.get(runId) ?? new Set<Known>();
    this.#byRun.set(runId, ofRun.add(known));
    return known;
  }

  #drop(jobId: string): void {
    const replica = this.#replicas.get(jobId);
    if (replica === undefined || inFlight(replica) > 0) return;
    this.#replicas.delete(jobId);
    const ofRun = this.#byRun.get(replica.runId);
    ofRun?.delete(replica);
    if (ofRun?.size === 0) this.#byRun.delete(replica.runId);
    void replica.pool.close();
    replica.sessions.close();
  }
}

const inFlight = ({ waiting, streaming }: Known): number => waiting + streaming;

function avoidedFor(
  { avoidedUntil, ejections, ejectedFor }: Known,
  now: number,
): AvoidedFor | null {
  if (now < ejections.until) return { until: ejections.until, why: ejectedFor };
  return now < avoidedUntil ? { until: avoidedUntil, why: null } : null;
}

/**
 * The candidate with the highest hash: when one is added or removed, only requests to that one move. There
 * is at least one.
 */
function chosen(candidates: readonly ReplicaTarget[], affinity: string): ReplicaTarget {
  // The value of a header may be long.
  const key = hash('sha1', affinity);
  const ranked = candidates.map((target) => ({
    target,
    rank: hash('sha1', `${target.jobId}\n${key}`),
  }));
  return ranked.reduce((best, one) => (one.rank > best.rank ? one : best)).target;
}

/**
 * A connection without a request is closed after this long, so that of a burst none remain. The number of
 * connections needs no limit besides: there is one for each request in flight, and requests that had to
 * wait for another one, perhaps a stream of an hour, would look like an app that hangs.
 */
export const IDLE_MS = 4000;

/** An app may keep its connections longer, by the header `Keep-Alive`, but no longer than this. */
export const MAX_IDLE_MS = 60_000;

/** By then no route contains a job that was about to be stopped. */
const ROUTES_FOLLOW_MS = 60_000;

const NONE: ReadonlySet<string> = new Set();
