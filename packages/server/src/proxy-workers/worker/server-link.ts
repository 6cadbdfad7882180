import { ProxyRefusal } from '@dstack/proxy';
import { ChannelClosed, type LineChannel } from '../line-channel.ts';

/** The server is being restarted, or has ended. */
export function serverAway(): ProxyRefusal {
  return new ProxyRefusal(503, 'The server is being restarted: try again in a moment', {
    ...{ code: 'server_away', retryAfter: 1 },
  });
}

/** The connection of the server to this worker; a new server replaces it. */
export class ServerLink {
  #channel: LineChannel | null = null;
  #awaySince: number | null = performance.now();
  readonly #onPresent = new Set<() => void>();

  get isPresent(): boolean {
    return this.#channel !== null;
  }

  /** Milliseconds since the epoch; null: the server is connected. */
  get awaySince(): number | null {
    return this.#awaySince;
  }

  /** Called whenever a server has connected and has sent everything that it knows. */
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

  /** Rejects with `serverAway` without a server, else with the server's error. */
  async request<T>(type: string, data: unknown): Promise<T> {
    if (this.#channel === null) throw serverAway();
    try {
      return await this.#channel.request<T>(type, data);
    } catch (error) {
      throw error instanceof ChannelClosed ? serverAway() : error;
    }
  }

  /** False: there is no server. */
  notify(type: string, data: unknown): boolean {
    this.#channel?.notify(type, data);
    return this.#channel !== null;
  }
}

export function isServerAway(error: unknown): boolean {
  return error instanceof ProxyRefusal && error.code === 'server_away';
}
