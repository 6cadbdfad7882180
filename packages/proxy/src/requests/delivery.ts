import { setTimeout as delay } from 'node:timers/promises';
import { RepeatBudget } from '../policy/repeat-budget.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';
import type { ConnectedReplica } from '../replicas/known-replica.ts';
import type { ReplicaConnections } from '../replicas/replica-connections.ts';
import { ConnectFailure, isTimeout } from '../replicas/upstream-failure.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { ClientDisconnected } from './request-body.ts';

/** The outcome of sending a request to one replica. `unsent`: no byte of it was sent. */
export type Sent<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: Error; readonly unsent: boolean };

export interface Order<T> {
  readonly route: ServiceRoute;
  /** See `ReplicaConnections.acquire`. */
  readonly affinity: string | null;
  /** Whether it may be sent twice: it is idempotent and has no body. */
  readonly isRepeatable: boolean;
  /** Whether the client has disconnected. */
  readonly isUnwanted: () => boolean;
  /** Whether to wait for replicas that have just started, or whose way is being restarted; true by default. */
  readonly isPatient?: boolean;
  readonly send: (replica: ConnectedReplica) => Promise<Sent<T>>;
}

export interface Delivered<T> {
  readonly value: T;
  /** The caller must release it. */
  readonly replica: ConnectedReplica;
}

export interface DeliveryOptions {
  readonly replicas: ReplicaConnections;
  /** Reads the route again; null if the service does not exist any more. */
  readonly current: (route: ServiceRoute) => Promise<ServiceRoute | null>;
  /** Milliseconds. */
  readonly now: () => number;
  /**
   * Until when replicas that cannot be reached are expected to be reachable again, because the way to
   * them is being restarted; in the past = nothing is expected.
   */
  readonly returnsUntil?: () => number;
  readonly repeats?: RepeatBudget;
  readonly onFailure: (route: ServiceRoute, replica: ConnectedReplica, error: Error) => void;
}

/** The service has no replica that accepts requests. */
export class NoReplica extends Error {
  override name = 'NoReplica';
}

/** Every try has failed; `cause` is the error of the last one. */
export class Undelivered extends Error {
  override name = 'Undelivered';
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message);
    this.cause = cause;
  }
}

/** Replicas that have just started may refuse connections this long. */
const START_MS = 10_000;

/** Between two attempts, which are farther apart one after another: most apps start in a moment. */
const FIRST_WAIT_MS = 10;
const LAST_WAIT_MS = 100;

const NONE: ReadonlySet<string> = new Set();

/** The replica has no part in it: the body is refused, or has no end. */
const isOfClient = (error: Error) =>
  error instanceof ProxyRefusal || error instanceof ClientDisconnected;

/** Sends requests to replicas, and tries another replica when one fails. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #repeats: RepeatBudget;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#repeats = options.repeats ?? new RepeatBudget();
  }

  /**
   * Tries every replica while no byte was sent. Repeats once a request that was sent and not
   * answered, if it is repeatable and the budget of the service allows it. Throws `NoReplica` or `Undelivered`.
   */
  async deliver<T>(order: Order<T>): Promise<Delivered<T>> {
    const { route, affinity, isRepeatable, isUnwanted, isPatient = true, send } = order;
    const { replicas, current, onFailure } = this.#options;
    const until = this.#startsUntil(route);
    this.#repeats.begin(route.runId);
    let tried: Set<string> | null = null;
    let isRepeated = false;
    let waitMs = FIRST_WAIT_MS;
    let last: { readonly error: Error; readonly unsent: boolean } | null = null;
    for (let at: ServiceRoute | null = route; ; at = await current(at)) {
      if (at === null || !replicas.some(at.replicas)) throw new NoReplica();
      const replica = replicas.acquire(at.runId, at.replicas, tried ?? NONE, affinity);
      if (replica === null) {
        // A replica that has just started may not listen yet.
        if (last === null) throw new NoReplica();
        if (last.unsent && (!isPatient || this.#hasPassed(until)))
          throw new Undelivered(last.error);
        if (last.unsent) {
          await delay(waitMs);
          waitMs = Math.min(2 * waitMs, LAST_WAIT_MS);
        }
        tried = null;
        continue;
      }
      const sent = await send(replica);
      if (sent.kind === 'done') {
        return { value: sent.value, replica };
      }
      last = sent;
      if (sent.error instanceof ConnectFailure) replicas.refused(replica);
      else if (!sent.unsent && !isUnwanted() && !isOfClient(sent.error)) replicas.failed(replica);
      replicas.release(replica);
      onFailure(at, replica, sent.error);
      tried ??= new Set();
      tried.add(replica.target.jobId);
      if (isUnwanted()) throw new Undelivered(sent.error);
      if (sent.unsent) continue;
      const mayRepeat = isRepeatable && !isRepeated && !isTimeout(sent.error);
      if (!mayRepeat || !this.#repeats.take(at.runId)) throw new Undelivered(sent.error);
      isRepeated = true;
    }
  }

  #hasPassed(until: number): boolean {
    const { now, returnsUntil = () => 0 } = this.#options;
    return now() >= Math.max(until, returnsUntil());
  }

  /** Until when a refused connection may come from a replica that has just started; 0 = not at all. */
  #startsUntil({ replicas }: ServiceRoute): number {
    const now = this.#options.now();
    const isStarting = replicas.some(({ runningAt }) => now - runningAt / 1000 < START_MS);
    return isStarting ? now + START_MS : 0;
  }
}
