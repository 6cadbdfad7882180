import { hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Id } from '@dstack/core';
import type { ServiceReplica } from '@dstack/store';
import { Pool } from 'undici';
import { ReplicaSessions } from './grpc/replica-sessions.ts';
import { MAX_HEADERS } from './raw-headers.ts';
import { ConnectFailure } from './upstream-failure.ts';

/** Opens a connection to the app of a replica. */
export type OpenPort = (replica: ServiceReplica) => Promise<Duplex>;

export interface ReplicaConnectionsOptions {
  readonly open: OpenPort;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
  /** Milliseconds. */
  readonly now: () => number;
  /** From 0 (inclusive) to 1. */
  readonly random?: () => number;
}

/** One replica: its kept-alive connections, and the number of its pending requests. */
export interface ConnectedReplica {
  readonly target: ServiceReplica;
  readonly pool: Pool;
  /** For gRPC. */
  readonly sessions: ReplicaSessions;
  inFlight: number;
}

interface Known extends ConnectedReplica {
  readonly runId: Id;
  /** Refused connections since the last answer, of which each ejection counts one. */
  refusals: number;
  /** Milliseconds; 0 = not ejected. */
  ejectedUntil: number;
  /** Called each time its last request has ended. */
  readonly idle: Set<() => void>;
}

/**
 * Connections to replicas, opened with the first request and closed when the replica is removed.
 */
export class ReplicaConnections {
  readonly #options: ReplicaConnectionsOptions;
  readonly #replicas = new Map<Id, Known>();
  /** Jobs that are being stopped: no new requests are sent to them. */
  readonly #leaving = new Set<Id>();
  #turn = 0;

  constructor(options: ReplicaConnectionsOptions) {
    this.#options = options;
  }

  /**
   * Of two replicas, one in turn and one at random, the one with fewer pending requests; null if all
   * are `tried` or leaving. Replicas with a failing probe are used if there is no other, ejected ones
   * if there is nothing else. Call `release` with it when the request has ended. Requests of the same
   * `affinity` receive the same replica, in every process, as long as it is one of those.
   */
  acquire(
    runId: Id,
    targets: readonly ServiceReplica[],
    tried: ReadonlySet<Id> = NONE,
    affinity: string | null = null,
  ): ConnectedReplica | null {
    const candidates = this.#candidates(targets, tried);
    const count = candidates.length;
    if (count === 0) return null;
    if (affinity !== null) return this.#taken(this.#known(runId, chosen(candidates, affinity)));
    this.#turn += 1;
    const { random = Math.random } = this.#options;
    let best = this.#known(runId, candidates[this.#turn % count] as ServiceReplica);
    if (count > 1) {
      const step = 1 + Math.floor(random() * (count - 1));
      const other = candidates[(this.#turn + step) % count] as ServiceReplica;
      const second = this.#known(runId, other);
      if (second.inFlight < best.inFlight) best = second;
    }
    return this.#taken(best);
  }

  #taken(replica: Known): Known {
    replica.inFlight += 1;
    return replica;
  }

  /** The replica has refused a connection: others are preferred for a while, longer each time. */
  refused(replica: ConnectedReplica): void {
    const known = replica as Known;
    const now = this.#options.now();
    // Requests that were sent before the ejection are refused as well.
    if (now < known.ejectedUntil) return;
    known.refusals += 1;
    const isStarting = now - known.target.runningAt / 1000 < STARTING_MS;
    const exponent = isStarting ? 0 : known.refusals - 1;
    known.ejectedUntil = now + Math.min(EJECTED_MS * 2 ** exponent, MAX_EJECTED_MS);
  }

  /** The replica has accepted a request. */
  accepted(replica: ConnectedReplica): void {
    const known = replica as Known;
    known.refusals = 0;
    known.ejectedUntil = 0;
  }

  /** Whether other replicas are preferred. */
  isEjected({ jobId, isFailing }: ServiceReplica): boolean {
    return isFailing || this.#refuses(jobId);
  }

  /** Replicas of a run that other replicas are preferred to. */
  ejectedOf(runId: Id): number {
    const own = [...this.#replicas.values()].filter((replica) => replica.runId === runId);
    return own.filter(({ target }) => this.isEjected(target)).length;
  }

  /** Whether any of these may receive a request. */
  some(targets: readonly ServiceReplica[]): boolean {
    return targets.some((target) => !this.#leaving.has(target.jobId));
  }

  /** Pending requests of a run. */
  pending(runId: Id): number {
    let count = 0;
    for (const replica of this.#replicas.values()) {
      if (replica.runId === runId) count += replica.inFlight;
    }
    return count;
  }

  /** Pending requests per replica. */
  load(targets: readonly ServiceReplica[]): number {
    const pending = targets.map(({ jobId }) => this.#replicas.get(jobId)?.inFlight ?? 0);
    return pending.reduce((sum, count) => sum + count, 0) / Math.max(1, targets.length);
  }

  release(replica: ConnectedReplica): void {
    replica.inFlight -= 1;
    if (replica.inFlight > 0) return;
    for (const notify of (replica as Known).idle) notify();
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
  holds(runId: Id): boolean {
    return [...this.#replicas.values()].some((replica) => replica.runId === runId);
  }

  /** Drops the run's replicas that are not among these; pending requests are completed. */
  keepOnly(runId: Id, targets: readonly ServiceReplica[]): void {
    const present = new Set(targets.map((target) => target.jobId));
    for (const [jobId, replica] of this.#replicas) {
      if (replica.runId !== runId || present.has(jobId)) continue;
      if (replica.inFlight > 0) replica.idle.add(() => this.#drop(jobId));
      else this.#drop(jobId);
    }
  }

  /**
   * Sends no more requests to a job that is about to be stopped. Returns true if it has no pending
   * requests; otherwise calls `whenIdle` once that may be so.
   */
  leave(jobId: Id, whenIdle: () => void): boolean {
    if (!this.#leaving.has(jobId)) {
      this.#leaving.add(jobId);
      setTimeout(() => this.#leaving.delete(jobId), ROUTES_FOLLOW_MS).unref();
    }
    const replica = this.#replicas.get(jobId);
    if (replica === undefined || replica.inFlight === 0) return true;
    replica.idle.add(whenIdle);
    return false;
  }

  close(): void {
    for (const jobId of [...this.#replicas.keys()]) {
      const replica = this.#replicas.get(jobId);
      this.#replicas.delete(jobId);
      void replica?.pool.destroy();
      replica?.sessions.destroy();
    }
  }

  #candidates(
    targets: readonly ServiceReplica[],
    tried: ReadonlySet<Id>,
  ): readonly ServiceReplica[] {
    if (tried.size === 0 && this.#leaving.size === 0 && targets.every(this.#isHealthy)) {
      return targets;
    }
    const usable: ServiceReplica[] = [];
    const open: ServiceReplica[] = [];
    const healthy: ServiceReplica[] = [];
    for (const target of targets) {
      if (tried.has(target.jobId) || this.#leaving.has(target.jobId)) continue;
      usable.push(target);
      if (this.#refuses(target.jobId)) continue;
      open.push(target);
      if (!target.isFailing) healthy.push(target);
    }
    if (healthy.length > 0) return healthy;
    return open.length > 0 ? open : usable;
  }

  readonly #isHealthy = ({ jobId, isFailing }: ServiceReplica): boolean =>
    !isFailing && !this.#refuses(jobId);

  #refuses(jobId: Id): boolean {
    const until = this.#replicas.get(jobId)?.ejectedUntil ?? 0;
    return until > 0 && this.#options.now() < until;
  }

  #known(runId: Id, target: ServiceReplica): Known {
    return this.#replicas.get(target.jobId) ?? this.#make(runId, target);
  }

  #make(runId: Id, target: ServiceReplica): Known {
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
      ...{ runId, target, pool, sessions, inFlight: 0, idle: new Set<() => void>() },
      ...{ refusals: 0, ejectedUntil: 0 },
    };
    this.#replicas.set(target.jobId, known);
    return known;
  }

  #drop(jobId: Id): void {
    const replica = this.#replicas.get(jobId);
    if (replica === undefined || replica.inFlight > 0) return;
    this.#replicas.delete(jobId);
    void replica.pool.close();
    replica.sessions.close();
  }
}

/**
 * The candidate with the highest hash: when one is added or removed, only requests to that one move. There
 * is at least one.
 */
function chosen(candidates: readonly ServiceReplica[], affinity: string): ServiceReplica {
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

/** How long a replica that refuses connections is avoided: doubled from one refusal to the next. */
const EJECTED_MS = 1000;
const MAX_EJECTED_MS = 30_000;

/** An app that has just started may not listen yet; its time does not grow. */
const STARTING_MS = 10_000;

/** By then no route contains a job that was about to be stopped. */
const ROUTES_FOLLOW_MS = 60_000;

const NONE: ReadonlySet<Id> = new Set();
