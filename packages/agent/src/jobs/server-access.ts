import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import type { ServerSocket } from '../executor/server-socket.ts';

/** Open connections of one job, including waiting ones. */
const MOST_CONNECTIONS = 32;

/** Connections that are announced to the server at once, and per second after that. Others wait. */
const BURST = 50;
const PER_SECOND = 20;

/**
 * A restarting server is available again within this time. Afterwards waiting connections are
 * closed.
 */
const WAIT_MS = 15_000;

/**
 * The unix socket by which a job reaches the API of its server. The agent cannot connect to the
 * server, so it announces each connection, which waits until the server takes it (`take`).
 */
export class ServerAccess {
  readonly #socket: ServerSocket;
  readonly #onTunnel: (id: string) => void;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  readonly #waiting = new Map<
    string,
    { readonly socket: Socket; readonly timer: NodeJS.Timeout }
  >();

  /** When `BURST` connections may be announced again, in milliseconds of `performance`. */
  #fullAt = 0;

  private constructor(socket: ServerSocket, onTunnel: (id: string) => void) {
    this.#socket = socket;
    this.#onTunnel = onTunnel;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (connection) =>
      this.#accept(connection),
    );
  }

  /** Rejects with Node's own error if it cannot listen there. */
  static async open(socket: ServerSocket, onTunnel: (id: string) => void): Promise<ServerAccess> {
    const access = new ServerAccess(socket, onTunnel);
    await access.#listen();
    return access;
  }

  /** Connections that the server has not taken yet. */
  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Null if the connection is unknown or closed. */
  take(id: string): Duplex | null {
    const found = this.#waiting.get(id);
    if (!found) return null;
    this.#waiting.delete(id);
    clearTimeout(found.timer);
    return found.socket;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
    rmSync(this.#socket.path, { force: true });
  }

  async #listen(): Promise<void> {
    const { path, folderMode, mode, owner } = this.#socket;
    if (folderMode !== null) {
      mkdirSync(dirname(path), { recursive: true });
      chmodSync(dirname(path), folderMode);
    }
    // The socket of an agent that died.
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        // An error of one connection, such as too few descriptors, must not end the others.
        this.#server.on('error', () => {});
        resolve();
      });
    });
    // The job cannot write to the folder, so this is the socket that was just created.
    chmodSync(path, mode);
    if (owner) chownSync(path, owner.uid, owner.gid);
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#open.size >= MOST_CONNECTIONS) {
      socket.destroy();
      return;
    }
    const id = randomUUID();
    const timer = setTimeout(() => socket.destroy(), WAIT_MS);
    this.#open.add(socket);
    this.#waiting.set(id, { socket, timer });
    socket.on('close', () => {
      clearTimeout(timer);
      this.#open.delete(socket);
      this.#waiting.delete(id);
    });
    this.#announce(id);
  }

  /** Announces it at once, or later if there were many. */
  #announce(id: string): void {
    const now = performance.now();
    const step = 1000 / PER_SECOND;
    this.#fullAt = Math.max(this.#fullAt, now) + step;
    const early = this.#fullAt - now - BURST * step;
    if (early <= 0) this.#onTunnel(id);
    else setTimeout(() => this.#waiting.has(id) && this.#onTunnel(id), early);
  }
}
