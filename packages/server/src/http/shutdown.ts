/** Graceful shutdown: requests under way may end within a limit, new ones are refused. */

import { type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { withTimeout } from '@dstack/contract/with-timeout';
import { ProxyRefusal } from '@dstack/proxy';
import type { Logger } from '../process/logging.ts';

/** A response that is not complete, or the socket of a WebSocket. */
type UnderWay = ServerResponse | Duplex;

/** Milliseconds after which aborted streams are closed, and close frames of WebSockets are sent. */
const SHORTLY_MS = 100;
const CLOSE_FRAME_MS = 1000;

/** The state of the shutdown, and the requests that are under way. */
export class Shutdown {
  readonly #underWay = new Set<UnderWay>();
  readonly #ending = new AbortController();
  readonly #sessions = new AbortController();
  #isAnnounced = false;
  #isEnding = false;
  #onIdle: (() => void) | null = null;
  #onAnswered: (() => void) | null = null;

  /** Whether health checks fail. */
  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** Whether new requests are refused. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Aborted with `end`: streams of logs and events end on it, because nothing else ends them. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Aborted when terminals and forwarded ports end. */
  get sessions(): AbortSignal {
    return this.#sessions.signal;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** It is under way until it is closed. */
  track(one: UnderWay): void {
    if (one.destroyed) return;
    if (this.#isAnnounced) closeAfter(one);
    this.#underWay.add(one);
    one.on('close', () => {
      this.#underWay.delete(one);
      this.#onAnswered?.();
      if (this.#underWay.size === 0) this.#onIdle?.();
    });
  }

  /**
   * Clients of load balancers leave this server from now on, each after an answer: a connection that is
   * closed while it is idle may lose the next request.
   */
  announce(): void {
    this.#isAnnounced = true;
    for (const one of this.#underWay) closeAfter(one);
  }

  /** Refuses new requests. Calls `onAnswered` whenever a request under way has ended. */
  end(onAnswered: () => void): void {
    this.announce();
    this.#onAnswered = onAnswered;
    this.#isEnding = true;
    this.#ending.abort();
  }

  endSessions(): void {
    this.#sessions.abort();
  }

  /** Resolves with true when nothing is under way, with false after `ms`. */
  async idle(ms: number): Promise<boolean> {
    if (this.#underWay.size === 0) return true;
    const idle = new Promise<boolean>((resolve) => {
      this.#onIdle = () => resolve(true);
    });
    return await withTimeout(() => idle, { ms, onTimeout: () => false });
  }
}

/** Adds `Connection: close` to a response whose head is not sent yet. */
function closeAfter(one: UnderWay): void {
  if (one instanceof ServerResponse) one.shouldKeepAlive = false;
}

export function shuttingDown(): ProxyRefusal {
  return new ProxyRefusal(503, 'The server is shutting down: try again in a moment', {
    ...{ code: 'shutting_down', retryAfter: 1 },
  });
}

export interface EndHttpOptions {
  readonly server: Pick<Server, 'close' | 'closeIdleConnections'>;
  readonly shutdown: Shutdown;
  /** Refuses requests that wait for a replica, and closes WebSockets with code 1001. */
  readonly giveUp: () => void;
  /** Milliseconds for which health checks fail before new requests are refused. */
  readonly delayMs: number;
  /** Milliseconds that requests under way may take. */
  readonly limitMs: number;
  readonly log: Logger;
}

/** Resolves when no request is under way, or after the limit. */
export async function endHttp(options: EndHttpOptions): Promise<void> {
  const { server, shutdown, giveUp, delayMs, limitMs, log } = options;
  shutdown.announce();
  if (delayMs > 0) await delay(delayMs);
  // Keep-alive connections close as soon as they are idle.
  shutdown.end(() => server.closeIdleConnections());
  // With a delay other servers take over: sessions do not delay the start of the next server.
  if (delayMs === 0) shutdown.endSessions();
  server.close();
  server.closeIdleConnections();
  if (await shutdown.idle(Math.min(SHORTLY_MS, limitMs))) return;
  log.info({ underWay: shutdown.underWay, limitMs }, 'waiting for requests under way to end');
  if (await shutdown.idle(limitMs)) return;
  log.warn({ underWay: shutdown.underWay }, 'requests under way are cut off');
  shutdown.endSessions();
  giveUp();
  await shutdown.idle(CLOSE_FRAME_MS);
}
