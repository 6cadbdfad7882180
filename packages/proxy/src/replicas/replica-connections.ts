import type { Duplex } from 'node:stream';
import type { CountedReplica } from '../counts/counted-replica.ts';
import { byAffinity } from '../policy/affinity.ts';
import { isBetter } from '../policy/choice.ts';
import { afterStart } from '../policy/replica-record.ts';
import type { TotalsByReplica } from '../policy/replica-totals.ts';
import type { ReplicaTarget } from '../values.ts';
import {
  avoidedFor,
  type ConnectedReplica,
  inFlight,
  type KnownReplica,
  newReplica,
  type ReplicaLease,
} from './known-replica.ts';
import { type EjectedReplica, ReplicaHealth } from './replica-health.ts';
import type { ReplicaPoolOptions } from './replica-pool.ts';
import { ConnectFailure } from './upstream-failure.ts';

export interface ReplicaConnectionsOptions extends ReplicaPoolOptions {
  /** Milliseconds. */
  readonly now: () => number;
  /** From 0 (inclusive) to 1. */
  readonly random?: () => number;
  readonly onEjected?: (ejected: EjectedReplica) => void;
}

/** By then no route contains a job that was about to be stopped. */
const ROUTES_FOLLOW_MS = 60_000;

const NONE: ReadonlySet<string> = new Set();

/**
 * Connections to replicas, opened with the first request and closed when the replica is removed.
 */
export class ReplicaConnections {
  readonly #options: ReplicaConnectionsOptions;
  readonly #replicas = new Map<string, KnownReplica>();
  /** The same by run: figures of each service are read every second, and one of them must not cost what all do. */
  readonly #byRun = new Map<string, Set<KnownReplica>>();
  /** Jobs that are being stopped: no new requests are sent to them. */
  readonly #leaving = new Set<string>();
  readonly #health: ReplicaHealth;
  #turn = 0;

  constructor(options: ReplicaConnectionsOptions) {
    this.#options = options;
    const { now, onEjected } = options;
    this.#health = new ReplicaHealth({
      ...{ replicas: this.#replicas, leaving: this.#leaving, now },
      ...(onEjected && { onEjected }),
    });
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
      return this.#taken(this.#known(runId, byAffinity(candidates, affinity)), targets);
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

  #taken(known: KnownReplica, targets: readonly ReplicaTarget[]): ReplicaLease {
    const { target, pool, sessions } = known;
    const startedAt = this.#options.now();
    known.waiting += 1;
    known.record = afterStart(known.record, startedAt);
    const begun = { hasAnswer: false, ending: null, good: null };
    return { target, pool, sessions, known, targets, startedAt, ...begun };
  }

  /** The replica has refused a connection: others are preferred for a while, longer each time. */
  refused(replica: ConnectedReplica): void {
    this.#health.refused(replica);
  }

  /** The replica has begun to answer. Only the first call for a request counts. */
  answered(replica: ConnectedReplica, status: number): void {
    this.#health.answered(replica, status);
  }

  /** The answer has begun, and the replica has not completed it. Only the first call for a request counts. */
  broke(replica: ConnectedReplica): void {
    this.#health.broke(replica);
  }

  /** The replica has taken the request, and has not answered it. */
  failed(replica: ConnectedReplica): void {
    this.#health.failed(replica);
  }

  /** Whether other replicas are preferred. */
  isEjected({ jobId, isFailing }: ReplicaTarget): boolean {
    return isFailing || this.#health.isAvoided(jobId);
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
    const { known, hasAnswer, ending, startedAt } = replica as ReplicaLease;
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
    if (tried.size === 0 && this.#leaving.size === 0 && targets.every(this.#health.isHealthy)) {
      return targets;
    }
    const usable: ReplicaTarget[] = [];
    const open: ReplicaTarget[] = [];
    const healthy: ReplicaTarget[] = [];
    for (const target of targets) {
      if (tried.has(target.jobId) || this.#leaving.has(target.jobId)) continue;
      usable.push(target);
      if (this.#health.isAvoided(target.jobId)) continue;
      open.push(target);
      if (!target.isFailing) healthy.push(target);
    }
    if (healthy.length > 0) return healthy;
    return open.length > 0 ? open : usable;
  }

  #of(runId: string): KnownReplica[] {
    return [...(this.#byRun.get(runId) ?? [])];
  }

  #known(runId: string, target: ReplicaTarget): KnownReplica {
    return this.#replicas.get(target.jobId) ?? this.#make(runId, target);
  }

  #make(runId: string, target: ReplicaTarget): KnownReplica {
    const known = newReplica(runId, target, this.#options);
    this.#replicas.set(target.jobId, known);
    const ofRun = this.#byRun.get(runId) ?? new Set<KnownReplica>();
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
