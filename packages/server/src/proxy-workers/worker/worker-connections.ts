import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { ConnectionShares } from './connection-shares.ts';
import { HandedConnections, type Led } from './handed-connections.ts';

export interface WorkerConnectionsOptions {
  /** Descriptors of the listening socket, which all workers have. */
  readonly fds: readonly number[];
  readonly led: Led;
  /** This worker accepts connections itself from now on. */
  readonly onAccepting: () => void;
}

/** Connections that wait until they are accepted. Above it, the kernel makes clients wait for seconds. */
const BACKLOG = 4096;

/**
 * The connections of one worker. One worker accepts them all, and shares them with those that it has started, as the
 * kernel would give most of them to few processes. A worker whose accepter has ended accepts itself: the listening socket
 * stays, and with it the connections that wait there.
 */
export class WorkerConnections {
  readonly #options: WorkerConnectionsOptions;
  readonly #open = new Set<Socket>();
  readonly #shares: ConnectionShares;
  readonly #handed: HandedConnections;
  #http: HttpServer | null = null;
  #listeners: readonly Server[] = [];
  #isStopped = false;

  constructor(options: WorkerConnectionsOptions) {
    this.#options = options;
    const own = () => this.#open.size;
    const take = (socket: Socket) => this.#take(socket);
    this.#shares = new ConnectionShares({ own, take });
    this.#handed = new HandedConnections({
      ...{ led: options.led, open: own, take },
      onEnded: () => void this.accept(),
    });
  }

  /** Whether this worker accepts connections itself. */
  get isAccepting(): boolean {
    return this.#listeners.length > 0;
  }

  /** None is open, and none is on its way to this worker or by it to another one. */
  get areOver(): boolean {
    const isFed = this.isAccepting || this.#handed.isOpen;
    return !isFed && this.#open.size === 0 && this.#shares.untaken === 0;
  }

  /** `http` gets the connections from now on, without listening itself. */
  async start(http: HttpServer): Promise<void> {
    this.#http = http;
    http.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => {
        this.#open.delete(socket);
        this.#handed.changed();
      });
    });
    // Its limits of time hold from then on.
    http.emit('listening');
    if (this.#isStopped) return;
    if (this.#handed.isOpen) this.#handed.ready();
    else await this.accept();
  }

  /** A worker that this process has just started gets a share. */
  share(child: ChildProcess): void {
    this.#shares.add(child);
  }

  /** Accepts connections itself from now on; the worker by which this one was started may do so too. */
  async accept(): Promise<void> {
    if (this.#isStopped || this.#http === null || this.isAccepting) return;
    // As a server of HTTP does, except that nothing is read here of those that others take.
    const how = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true };
    const listening = this.#options.fds.map((fd) => {
      const listener = createServer(how, (socket) => this.#shares.give(socket));
      listener.listen({ fd }, BACKLOG);
      return { listener, begun: once(listener, 'listening') };
    });
    this.#listeners = listening.map(({ listener }) => listener);
    await Promise.all(listening.map(({ begun }) => begun));
    this.#options.onAccepting();
  }

  /** Gets no new connections. Those that are open are served to their end: a request may be on its way. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    // The address must be free for others, also while the last connections go on.
    if (!this.isAccepting) for (const fd of this.#options.fds) closeSync(fd);
    for (const listener of this.#listeners) listener.close();
    this.#listeners = [];
    this.#shares.close();
    this.#handed.leave();
  }

  /** Node does not count connections without any request as idle; clients open some in advance. */
  closeUnused(): void {
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy();
  }

  #take(socket: Socket): void {
    this.#http?.emit('connection', socket);
    socket.resume();
  }
}
