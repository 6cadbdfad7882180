import type { Duplex } from 'node:stream';
import type { Id } from '@dstack/core';
import type { ServiceReplica } from '@dstack/store';
import { Pool } from 'undici';
import { ConnectFailure } from './upstream-failure.ts';

/** Opens a connection to the app of a replica. */
export type OpenPort = (replica: ServiceReplica) => Promise<Duplex>;

export interface ReplicaConnectionsOptions {
  readonly open: OpenPort;
  /** Milliseconds without a byte after which a request fails. */
  readonly timeoutMs: number;
}

/** One replica: its kept-alive connections, and the number of its pending requests. */
export interface ConnectedReplica {
  readonly target: ServiceReplica;
  readonly pool: Pool;
  inFlight: number;
}

interface Known extends ConnectedReplica {
  readonly runId: Id;
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
   * The replica with the fewest pending requests, in turn among equal ones; null if all are `tried`
   * or leaving. Call `release` with it when the request has ended.
   */
  acquire(
    runId: Id,
    targets: readonly ServiceReplica[],
    tried: ReadonlySet<Id> = NONE,
  ): ConnectedReplica | null {
    this.#turn += 1;
    let best: Known | null = null;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(this.#turn + i) % targets.length] as ServiceReplica;
      if (tried.has(target.jobId) || this.#leaving.has(target.jobId)) continue;
      const known = this.#replicas.get(target.jobId) ?? this.#make(runId, target);
      if (best === null || known.inFlight < best.inFlight) best = known;
    }
    if (best !== null) best.inFlight += 1;
    return best;
  }

  /** Whether any of these may receive a request. */
  some(targets: readonly ServiceReplica[]): boolean {
    return targets.some((target) => !this.#leaving.has(target.jobId));
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
    }
  }

  #make(runId: Id, target: ServiceReplica): Known {
    const { open, timeoutMs } = this.#options;
    const pool = new Pool('http://replica', {
      // One connection per request: long streams must not delay other requests.
      connections: null,
      pipelining: 1,
      allowH2: false,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: (_options, callback) => {
        open(target).then(
          (socket) => callback(null, socket as never),
          (error) => callback(new ConnectFailure(target.port, error), null),
        );
      },
    });
    const known: Known = { runId, target, pool, inFlight: 0, idle: new Set() };
    this.#replicas.set(target.jobId, known);
    return known;
  }

  #drop(jobId: Id): void {
    const replica = this.#replicas.get(jobId);
    if (replica === undefined || replica.inFlight > 0) return;
    this.#replicas.delete(jobId);
    void replica.pool.close();
  }
}

/** By then no route contains a job that was about to be stopped. */
const ROUTES_FOLLOW_MS = 60_000;

const NONE: ReadonlySet<Id> = new Set();
