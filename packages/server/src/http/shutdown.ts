/** The end of a server that answers: what is under way ends well, or after a limit. */
import { type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../logging.ts';
import { ProxyRefusal } from '../proxy/refusal.ts';

/** What clients wait for: an answer, or a connection that has become a WebSocket. */
type UnderWay = ServerResponse | Duplex;

/** Streams that were told to end have ended by then, in milliseconds; and farewells have left. */
const SHORTLY_MS = 100;
const FAREWELL_MS = 1000;

/** Whether requests are still taken, and which are under way. */
export class Shutdown {
  readonly #underWay = new Set<UnderWay>();
  readonly #ending = new AbortController();
  #isAnnounced = false;
  #onIdle: (() => void) | null = null;
  #onAnswered: (() => void) | null = null;

  /** Health checks fail from now on, so that nobody else is sent here. */
  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** Nothing new is taken. */
  get isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Ends what has no end of its own: streams whose clients come again by themselves. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Until it is closed it is under way. */
  track(one: UnderWay): void {
    if (one.destroyed) return;
    this.#underWay.add(one);
    one.once('close', () => {
      this.#underWay.delete(one);
      this.#onAnswered?.();
      if (this.#underWay.size === 0) this.#onIdle?.();
    });
  }

  announce(): void {
    this.#isAnnounced = true;
  }

  /** `onAnswered` is called whenever something that was under way is over. */
  end(onAnswered: () => void): void {
    this.#isAnnounced = true;
    this.#onAnswered = onAnswered;
    for (const one of this.#underWay) {
      // Said in answers whose head has not left yet.
      if (one instanceof ServerResponse) one.shouldKeepAlive = false;
    }
    this.#ending.abort();
  }

  /** Resolves when nothing is under way; false: not within `ms`. */
  async idle(ms: number): Promise<boolean> {
    if (this.#underWay.size === 0) return true;
    const limit = new AbortController();
    const late = delay(ms, false, { signal: limit.signal }).catch(() => false);
    const idle = new Promise<boolean>((resolve) => {
      this.#onIdle = () => resolve(true);
    });
    const isIdle = await Promise.race([idle, late]);
    limit.abort();
    return isIdle;
  }
}

export function shuttingDown(): ProxyRefusal {
  return new ProxyRefusal(503, 'The server is shutting down: try again in a moment', {
    ...{ code: 'shutting_down', retryAfter: 1 },
  });
}

export interface EndHttpOptions {
  readonly server: Pick<Server, 'close' | 'closeIdleConnections'>;
  readonly shutdown: Shutdown;
  /** Gives up waiting requests, and ends WebSockets in a way that tells clients to come again. */
  readonly giveUp: () => void;
  /** Milliseconds in which requests are still taken, while health checks fail already. */
  readonly delayMs: number;
  /** Milliseconds that requests under way have to end. */
  readonly limitMs: number;
  readonly log: Logger;
}

/** Resolves when nothing is left that would be worth waiting for. */
export async function endHttp(options: EndHttpOptions): Promise<void> {
  const { server, shutdown, giveUp, delayMs, limitMs, log } = options;
  shutdown.announce();
  if (delayMs > 0) await delay(delayMs);
  // Connections that are kept alive are closed as soon as they have nothing to answer.
  shutdown.end(() => server.closeIdleConnections());
  server.close();
  server.closeIdleConnections();
  if (await shutdown.idle(Math.min(SHORTLY_MS, limitMs))) return;
  log.info({ underWay: shutdown.underWay, limitMs }, 'waiting for requests under way to end');
  if (await shutdown.idle(limitMs)) return;
  log.warn({ underWay: shutdown.underWay }, 'requests under way are cut off');
  giveUp();
  await shutdown.idle(FAREWELL_MS);
}
