import type { Logger } from '../process/logging.ts';
import { AgentRefusal } from './agent-client.ts';

export interface HostPushesOptions {
  /** Names the pushed state in the log. */
  readonly what: string;
  /** Reads the present state for the host's agent and sends it. */
  readonly push: (hostId: string) => Promise<void>;
  readonly isLinked: (hostId: string) => boolean;
  readonly log: Logger;
  /** Milliseconds until a push that failed is tried again; doubled each time. */
  readonly retryMs?: number;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/**
 * Pushes state to agents, with retries. Pushes to one host run one after another, so that an older
 * state never overwrites a newer one; hosts do not wait for each other.
 */
export class HostPushes {
  readonly #options: HostPushesOptions;
  /** Hosts with a push under way; `again` = the state has changed since it was read. */
  readonly #busy = new Map<string, { again: boolean }>();
  readonly #retries = new Map<string, { readonly timer: NodeJS.Timeout; readonly delay: number }>();

  constructor(options: HostPushesOptions) {
    this.#options = options;
  }

  close(): void {
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
  }

  /** Sends the present state to the host's agent. */
  push(hostId: string): void {
    const busy = this.#busy.get(hostId);
    if (busy) busy.again = true;
    else void this.#pushUntilDone(hostId);
  }

  async #pushUntilDone(hostId: string): Promise<void> {
    const busy = { again: true };
    this.#busy.set(hostId, busy);
    try {
      while (busy.again) {
        busy.again = false;
        await this.#options.push(hostId);
      }
      this.#forgetRetry(hostId);
    } catch (error) {
      this.#failed(hostId, error);
    } finally {
      this.#busy.delete(hostId);
    }
  }

  #failed(hostId: string, error: unknown): void {
    const { log, isLinked, retryMs, what } = this.#options;
    // The agent is too old for this request.
    if (error instanceof AgentRefusal && error.status === 404) return;
    log.warn({ host: hostId, err: error }, `${what} not replaced`);
    const { delay = retryMs ?? FIRST_RETRY_MS } = this.#retries.get(hostId) ?? {};
    this.#forgetRetry(hostId);
    // The state is pushed again when a link is made.
    if (!isLinked(hostId)) return;
    const timer = setTimeout(() => this.push(hostId), delay).unref();
    this.#retries.set(hostId, { timer, delay: Math.min(delay * 2, LAST_RETRY_MS) });
  }

  #forgetRetry(hostId: string): void {
    clearTimeout(this.#retries.get(hostId)?.timer);
    this.#retries.delete(hostId);
  }
}
