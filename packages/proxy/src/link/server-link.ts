import { ProxyRefusal } from '../refusals/refusal.ts';
import { ChannelClosed, type LineChannel } from './line-channel.ts';

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

/** The connection of the server to this worker; a new server replaces it. */
export class ServerLink implements AskedServer {
  #channel: LineChannel | null = null;
  #awaySince: number | null = performance.now();
  readonly #onPresent = new Set<() => void>();

  get isAway(): boolean {
    return this.#channel === null;
  }

  /** Milliseconds by `performance.now`; null: the server is connected. */
  get awaySince(): number | null {
    return this.#awaySince;
  }

  onPresent(notify: () => void): void {
    this.#onPresent.add(notify);
  }

  use(channel: LineChannel): void {
    this.#channel = channel;
    this.#awaySince = null;
    void channel.closed.then(() => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.#awaySince = performance.now();
    });
    for (const notify of this.#onPresent) notify();
  }

  async ask<T>(type: string, data: unknown): Promise<T> {
    if (this.#channel === null) throw serverAway();
    try {
      return await this.#channel.ask<T>(type, data);
    } catch (error) {
      throw error instanceof ChannelClosed ? serverAway() : error;
    }
  }

  notify(type: string, data: unknown): boolean {
    this.#channel?.notify(type, data);
    return this.#channel !== null;
  }
}

export function isServerAway(error: unknown): boolean {
  return error instanceof ProxyRefusal && error.code === 'server_away';
}
