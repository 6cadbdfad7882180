import { renameSync, rmSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer, type ListenOptions, Server as NetServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Id } from '@dstack/core';
import { isOfNginx, markNginx, type OtherFigures } from '@dstack/proxy';
import type { Logger } from '../process/logging.ts';
import type { ApiSocket } from './api-socket.ts';
import { listenerFd } from './listener-fd.ts';
import type { NginxRequests } from './nginx/nginx-requests.ts';
import type { ServerNginx } from './nginx/server-nginx.ts';
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
  /** nginx has the address, and answers requests itself; null = it has not, and does not. */
  readonly nginx: FrontNginx | null;
  /** Ends the nginx of an earlier server. */
  readonly endEarlierNginx: () => Promise<void>;
  readonly socket: ApiSocket;
  readonly log: Logger;
}

export interface FrontNginx {
  readonly life: Pick<ServerNginx, 'start' | 'behind' | 'problem' | 'detach' | 'end'>;
  readonly requests: Pick<NginxRequests, 'start' | 'leave' | 'access' | 'detach' | 'end'>;
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
  /** Accepts connections in this process: HTTP itself, or a unix socket behind nginx. */
  readonly #listener: NetServer;

  constructor(options: ProxyFrontOptions) {
    this.#options = options;
    const { http, nginx } = options;
    const take = (socket: Socket) => {
      markNginx(socket);
      http.emit('connection', socket);
    };
    this.#listener = nginx === null ? http : createServer({ allowHalfOpen: true }, take);
  }

  /** Returns the URL for clients. */
  async open(): Promise<string> {
    const { http, ready, host, port, workers, nginx, socket } = this.#options;
    http.prependListener('request', (request, response) => {
      // Connections from before the workers: the next request goes to a worker.
      const isDirect = !socket.isPassed(request.socket as Socket);
      const isOfClient = request.socket.remoteAddress !== undefined || isOfNginx(request.socket);
      if (isDirect && isOfClient && workers.isServing) response.shouldKeepAlive = false;
    });
    await ready();
    if (!this.#options.isOff) await socket.listen();
    if (nginx === null) await this.#options.endEarlierNginx();
    const adopted = await workers.adopt({ host, port, behind: nginx?.life.behind ?? null });
    this.#address = nginx === null ? adopted : await this.#openNginx(nginx, adopted !== null);
    // The limits of HTTP hold for connections that others pass on.
    if (this.#address !== null) http.emit('listening');
    this.#address ??= await this.#listen();
    if (adopted === null && !this.#options.isOff) void this.#startForPresent();
    return this.#address.url;
  }

  async #listen(): Promise<Address> {
    const { http, listen, host, port } = this.#options;
    const url = await listen();
    const address = http.address();
    const actual = typeof address === 'object' && address ? address.port : port;
    return { host, port: actual, url };
  }

  async #openNginx({ life, requests }: FrontNginx, areWorkersThere: boolean): Promise<Address> {
    const { host, port } = this.#options;
    if (!areWorkersThere) await this.#listenBehind(life.behind);
    const address = await life.start({ host, port });
    requests.start();
    return address;
  }

  /**
   * Node removes the path of a socket that it closes, and workers go on at this one: so it has another name by then. There is
   * one at the path at any time.
   */
  async #listenBehind(path: string): Promise<void> {
    const made = `${path}.new`;
    rmSync(made, { force: true });
    await listening(this.#listener, { path: made, backlog: BACKLOG });
    renameSync(made, path);
  }

  /** There is a service. */
  onService(): void {
    const { workers } = this.#options;
    if (
      this.#options.isOff ||
      this.#isClosed ||
      this.#isHanding ||
      !this.#listener.listening ||
      workers.isServing
    )
      return;
    this.#isHanding = this.#handOver().finally(() => {
      this.#isHanding = null;
    });
  }

  /** No worker accepts connections any more: this process does, until there is one again. */
  async onAllLost(): Promise<void> {
    const { log, workers, nginx } = this.#options;
    while (!this.#isClosed && !this.#listener.listening) {
      const { host, port } = this.#address as Address;
      try {
        if (nginx === null) await listening(this.#listener, { host, port });
        else await this.#listenBehind(nginx.life.behind);
      } catch (error) {
        log.warn({ err: error }, 'the address of the server cannot be used yet');
        await delay(LISTEN_AGAIN_MS);
      }
    }
    await delay(workers.delayMs, undefined, { ref: false });
    this.onService();
  }

  /**
   * Sends no more requests to the job. Returns true if no worker and no nginx has pending ones; otherwise calls
   * `whenIdle` once that is so.
   */
  leave(jobId: Id, whenIdle: () => void): boolean {
    const { workers, nginx } = this.#options;
    if ((workers.isEmpty && nginx === null) || this.#idle.has(jobId)) return true;
    if (this.#leaving.has(jobId)) return false;
    this.#leaving.add(jobId);
    void Promise.all([workers.leave(jobId), nginx?.requests.leave(jobId)]).then(() => {
      this.#leaving.delete(jobId);
      this.#idle.add(jobId);
      setTimeout(() => this.#idle.delete(jobId), IDLE_KNOWN_MS).unref();
      whenIdle();
    });
    return false;
  }

  /** See `ProxyWorkers.access`. */
  async access(...asked: Parameters<ProxyWorkers['access']>): ReturnType<ProxyWorkers['access']> {
    const { workers, nginx } = this.#options;
    const pages = await Promise.all([workers.access(...asked), nginx?.requests.access(...asked)]);
    return new Map(pages.flatMap((one) => [...(one ?? [])]));
  }

  /** The program that answers requests to services. */
  get engine(): { readonly name: string; readonly problem: string | null } {
    const { nginx, isOff } = this.#options;
    if (nginx !== null) return { name: 'nginx', problem: nginx.life.problem };
    return { name: isOff ? 'server' : 'workers', problem: null };
  }

  get figures(): OtherFigures {
    return this.#options.workers.figures;
  }

  /**
   * Workers and nginx continue without this server. nginx does not if no worker is behind it: then new connections are
   * refused, as if this process had the address.
   */
  async detach(times: EndTimes): Promise<void> {
    if (this.#isClosed) return;
    const { workers, nginx } = this.#options;
    this.#isClosed = true;
    if (nginx !== null && !workers.isServing) await this.#endNginx(nginx, times);
    nginx?.life.detach();
    nginx?.requests.detach();
    this.#close();
    workers.detach();
  }

  /** Ends the workers and nginx. */
  async end(times: EndTimes): Promise<void> {
    const { workers, nginx } = this.#options;
    this.#isClosed = true;
    await this.#isHanding;
    await Promise.all([workers.end(times), nginx && this.#endNginx(nginx, times)]);
    this.#close();
  }

  async #endNginx({ life, requests }: FrontNginx, { delayMs, limitMs }: EndTimes): Promise<void> {
    if (delayMs > 0) await delay(delayMs);
    await life.end(limitMs);
    requests.end();
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
    const { workers } = this.#options;
    const listener = this.#listener;
    await workers.start(this.#address as Address, listenerFd(listener), () => {
      if (listener.listening) NetServer.prototype.close.call(listener);
    });
  }

  #close(): void {
    this.#isClosed = true;
    const { http, isOff, socket } = this.#options;
    if (this.#listener !== http && this.#listener.listening) this.#listener.close();
    if (!isOff) socket.close();
  }
}

/** Connections of nginx that wait until they are accepted. */
const BACKLOG = 4096;

async function listening(server: NetServer, where: ListenOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A job stops soon after it has left, in milliseconds. */
const IDLE_KNOWN_MS = 600_000;
