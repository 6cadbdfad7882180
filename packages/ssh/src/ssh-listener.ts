import { createServer, type Server as NetServer, type Socket } from 'node:net';
import ssh2, { type Connection, type Server } from 'ssh2';
import { limitChannels } from './channel-limits.ts';
import { serverConfig } from './server-config.ts';

export interface SshListenerOptions {
  /** Private key, unencrypted, as `generateHostKey` returns it. */
  readonly hostKeyPem: string;
  /** A port that is open already; it is closed with the listener. Omitted: `listen` opens one. */
  readonly port?: NetServer;
  /** Time limit for the login; 20 s by default. */
  readonly loginMs?: number;
  /** Connections without a login at a time; 50 by default. */
  readonly maxLogins?: number;
  /** Channels of one connection, each of which may cost a process or a descriptor; 1000 by default. */
  readonly maxChannels?: number;
  /**
   * Called for each connection with its remote address. Null closes it; else the function is called
   * when the connection has logged in or ended.
   */
  readonly enter?: (address: string) => (() => void) | null;
  /** A client that has not logged in yet. */
  readonly serve: (client: Connection, login: Login) => void;
}

/** A connection that is being logged in. */
export interface Login {
  /** The remote address, without the port. */
  readonly address: string;
  /** Removes the time limit. */
  done(): void;
  /** Ends the connection without waiting for the client. */
  hangUp(): void;
}

interface PendingLogin {
  readonly limit: NodeJS.Timeout;
  readonly leave: () => void;
}

const LOGIN_MS = 20_000;
const MAX_LOGINS = 50;
const MAX_CHANNELS = 1000;

/**
 * Accepts SSH connections on one address, and limits the time and number of those without a login.
 */
export class SshListener {
  readonly #options: SshListenerOptions;
  readonly #ssh: Server;
  readonly #net: NetServer;
  /** By remote address. */
  readonly #sockets = new Map<string, Socket>();
  /** Connections that have not logged in yet, by remote address: their time is limited. */
  readonly #logins = new Map<string, PendingLogin>();

  constructor(options: SshListenerOptions) {
    this.#options = options;
    this.#ssh = new ssh2.Server(serverConfig(options.hostKeyPem), (client, info) =>
      this.#serve(client, info.ip ?? '', addressOf(info.ip, info.port)),
    );
    this.#net = options.port ?? createServer({ noDelay: true });
    this.#net.on('connection', (socket) => this.#connected(socket));
  }

  /** Returns the port; 0 takes any free port. Rejects with Node's own error. */
  async listen(host: string, port: number): Promise<number> {
    const open = this.#net.address();
    if (typeof open === 'object' && open) return open.port;
    return await new Promise((resolve, reject) => {
      this.#net.once('error', reject);
      this.#net.listen({ port, host }, () => {
        this.#net.off('error', reject);
        // An error of one connection, such as too few descriptors, must not end the others.
        this.#net.on('error', () => {});
        const address = this.#net.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #connected(socket: Socket): void {
    const { loginMs = LOGIN_MS, maxLogins = MAX_LOGINS, enter = () => () => {} } = this.#options;
    const leave = this.#logins.size < maxLogins ? enter(socket.remoteAddress ?? '') : null;
    if (leave === null) {
      socket.destroy();
      return;
    }
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    this.#sockets.set(address, socket);
    this.#logins.set(address, { limit: setTimeout(() => socket.destroy(), loginMs), leave });
    // ssh2 reports errors of the connection with those of the client.
    socket.on('close', () => {
      this.#sockets.delete(address);
      this.#loggedIn(address);
    });
    this.#ssh.injectSocket(socket);
  }

  #loggedIn(address: string): void {
    const pending = this.#logins.get(address);
    if (!pending) return;
    this.#logins.delete(address);
    clearTimeout(pending.limit);
    pending.leave();
  }

  #serve(client: Connection, ip: string, address: string): void {
    // The close after it is handled.
    client.on('error', () => {});
    limitChannels(client, this.#options.maxChannels ?? MAX_CHANNELS);
    const socket = this.#sockets.get(address);
    this.#options.serve(client, {
      address: ip,
      done: () => this.#loggedIn(address),
      hangUp: () => socket?.destroy(),
    });
  }
}

function addressOf(ip: string | undefined, port: number | undefined): string {
  return `${ip}:${port}`;
}
