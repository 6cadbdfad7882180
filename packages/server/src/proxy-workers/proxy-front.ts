import type { Server as HttpServer } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import type { OtherFigures } from '@dstack/proxy';
import type { Logger } from '../process/logging.ts';
import type { ApiSocket } from './api-socket.ts';
import { listenerFd } from './listener-fd.ts';
import type { Address } from './protocol.ts';
import type { EndTimes, ProxyWorkers } from './proxy-workers.ts';

export interface ProxyFrontOptions {
  readonly http: HttpServer;
  /** Listens on the configured address; returns the URL. */
  readonly listen: () => Promise<string>;
  /** The HTTP application is complete, without listening. */
  readonly ready: () => Promise<unknown>;
  readonly host: string;
  readonly port: number;
  /** This process accepts all connections. */
  readonly isOff: boolean;
  /** Whether there are services from before this start. */
  readonly hasServices: () => Promise<boolean>;
  readonly workers: ProxyWorkers;
  readonly socket: ApiSocket;
  readonly log: Logger;
}

/** Between two tries to listen again, in milliseconds. */
const LISTEN_AGAIN_MS = 20;

/**
 * Decides who accepts connections: this process while there are no services, then the workers, which pass
 * on what is not for services.
 */
export class ProxyFront {
  readonly #options: ProxyFrontOptions;
  readonly #idle = new Set<Id>();
  readonly #leaving = new Set<Id>();
  #address: Address | null = null;
  #isHanding: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: ProxyFrontOptions) {
    this.#options = options;
  }

  /** Returns the URL for clients. */
  async open(): Promise<string> {
    const { http, listen, ready, host, port, workers, socket } = this.#options;
    http.prependListener('request', (request, response) => {
      // Connections from before the workers: the next request goes to a worker.
      const isDirect = !socket.isPassed(request.socket as Socket);
      if (isDirect && workers.isServing && request.socket.remoteAddress !== undefined) {
        response.shouldKeepAlive = false;
      }
    });
    await ready();
    if (!this.#options.isOff) await socket.listen();
    const adopted = await workers.adopt({ host, port });
    if (adopted !== null) {
      this.#address = adopted;
      // The limits of HTTP hold for the connections that workers pass on.
      http.emit('listening');
      return adopted.url;
    }
    const url = await listen();
    const address = http.address();
    const actual = typeof address === 'object' && address ? address.port : port;
    this.#address = { host, port: actual, url };
    if (!this.#options.isOff) void this.#startForPresent();
    return url;
  }

  /** There is a service. */
  onService(): void {
    const { http, workers } = this.#options;
    if (
      this.#options.isOff ||
      this.#isClosed ||
      this.#isHanding ||
      !http.listening ||
      workers.isServing
    )
      return;
    this.#isHanding = this.#handOver().finally(() => {
      this.#isHanding = null;
    });
  }

  /** No worker accepts connections any more: this process does, until there is one again. */
  async onAllLost(): Promise<void> {
    const { http, log, workers } = this.#options;
    while (!this.#isClosed && !http.listening) {
      const address = this.#address as Address;
      try {
        await new Promise<void>((resolve, reject) => {
          http.once('error', reject);
          http.listen({ host: address.host, port: address.port }, () => {
            http.off('error', reject);
            resolve();
          });
        });
      } catch (error) {
        log.warn({ err: error }, 'the address of the server cannot be used yet');
        await delay(LISTEN_AGAIN_MS);
      }
    }
    await delay(workers.delayMs, undefined, { ref: false });
    this.onService();
  }

  /**
   * Sends no more requests to the job. Returns true if no worker has pending ones; otherwise calls
   * `whenIdle` once that is so.
   */
  leave(jobId: Id, whenIdle: () => void): boolean {
    if (this.#options.workers.isEmpty || this.#idle.has(jobId)) return true;
    if (this.#leaving.has(jobId)) return false;
    this.#leaving.add(jobId);
    void this.#options.workers.leave(jobId).then(() => {
      this.#leaving.delete(jobId);
      this.#idle.add(jobId);
      setTimeout(() => this.#idle.delete(jobId), IDLE_KNOWN_MS).unref();
      whenIdle();
    });
    return false;
  }

  /** See `ProxyWorkers.access`. */
  access(...asked: Parameters<ProxyWorkers['access']>): ReturnType<ProxyWorkers['access']> {
    return this.#options.workers.access(...asked);
  }

  get figures(): OtherFigures {
    return this.#options.workers.figures;
  }

  /** Workers continue without this server. */
  detach(): void {
    this.#close();
    this.#options.workers.detach();
  }

  /** Ends the workers. */
  async end(times: EndTimes): Promise<void> {
    this.#isClosed = true;
    await this.#isHanding;
    await this.#options.workers.end(times);
    this.#close();
  }

  async #startForPresent(): Promise<void> {
    const { hasServices, log } = this.#options;
    try {
      if (await hasServices()) this.onService();
    } catch (error) {
      log.warn(
        { err: error },
        'services were not read: the next change of one starts their workers',
      );
    }
  }

  async #handOver(): Promise<void> {
    const { http, workers } = this.#options;
    await workers.start(this.#address as Address, listenerFd(http), () => {
      if (http.listening) NetServer.prototype.close.call(http);
    });
  }

  #close(): void {
    this.#isClosed = true;
    if (!this.#options.isOff) this.#options.socket.close();
  }
}

/** A job stops soon after it has left, in milliseconds. */
const IDLE_KNOWN_MS = 600_000;
