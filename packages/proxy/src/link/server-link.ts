import type { Duplex } from 'node:stream';
import { withTimeout } from '@dstack/contract/with-timeout';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { ChannelClosed, type WorkerChannel } from './worker-channel.ts';

/** The requests of a process that serves services to the process that has the database. */
export interface AskedServer {
  /** It cannot be asked now. */
  readonly isAway: boolean;
  /** Rejects with `isServerAway` if it cannot answer, else with its error. */
  ask<T>(type: string, data: unknown): Promise<T>;
  /** False: it is away. */
  notify(type: string, data: unknown): boolean;
  /** Called whenever one has connected and has sent everything that it knows. */
  onPresent(notify: () => void): void;
}

/** The server is being restarted, or has ended. */
export function serverAway(): ProxyRefusal {
  return new ProxyRefusal(503, 'The server is being restarted: try again in a moment', {
    ...{ code: 'server_away', retryAfter: 1 },
  });
}

/** The connection of a worker to the process that leads it; a new server replaces the one before. */
export class ServerLink implements AskedServer {
  readonly #limitMs: number | null;
  #channel: WorkerChannel | null = null;
  #isOnline = true;
  #awaySince: number | null = performance.now();
  readonly #onPresent = new Set<() => void>();

  /** `limitMs`: a question that is not answered so long is given up; null = the process alone may end it. */
  constructor(limitMs: number | null = null) {
    this.#limitMs = limitMs;
  }

  get isAway(): boolean {
    return this.#channel === null || !this.#isOnline;
  }

  /** No process leads this worker, so that nothing it sends is kept for the server either. */
  get isAlone(): boolean {
    return this.#channel === null;
  }

  /** Milliseconds by `performance.now`; null: a process leads this worker. */
  get awaySince(): number | null {
    return this.#awaySince;
  }

  onPresent(notify: () => void): void {
    this.#onPresent.add(notify);
  }

  use(channel: WorkerChannel): void {
    this.#channel = channel;
    this.#awaySince = null;
    void channel.closed.then(() => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.#awaySince = performance.now();
    });
    for (const notify of this.#onPresent) notify();
  }

  /** The main process of a gateway has got its connection to the server, or has lost it. */
  setOnline(isOnline: boolean): void {
    const isBack = isOnline && !this.#isOnline;
    this.#isOnline = isOnline;
    if (isBack) for (const notify of this.#onPresent) notify();
  }

  async ask<T>(type: string, data: unknown, limitMs = this.#limitMs): Promise<T> {
    if (this.#channel === null) throw serverAway();
    const answer = this.#channel.ask<T>(type, data);
    try {
      if (limitMs === null) return await answer;
      const onTimeout = () => {
        void answer.then(endLate, () => {});
        throw serverAway();
      };
      return await withTimeout(() => answer, { ms: limitMs, onTimeout });
    } catch (error) {
      throw error instanceof ChannelClosed ? serverAway() : error;
    }
  }

  notify(type: string, data: unknown): boolean {
    this.#channel?.notify(type, data);
    return this.#channel !== null;
  }
}

/** A connection that comes with a late answer belongs to no request any more. */
function endLate(answer: unknown): void {
  const { socket } = (answer ?? {}) as { readonly socket?: Duplex | null };
  socket?.destroy();
}

export function isServerAway(error: unknown): boolean {
  return error instanceof ProxyRefusal && error.code === 'server_away';
}
