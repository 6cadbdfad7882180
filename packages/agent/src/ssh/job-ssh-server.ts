import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Connection, type Server } from 'ssh2';
import { authenticate, type Identity } from './authentication.ts';
import { type AuthorizedKeyLines, AuthorizedKeys, RIGHTS } from './authorized-keys.ts';
import { joinChannel } from './forward.ts';
import type { JobOutput } from './job-output.ts';
import { OUTPUT_PORT, OutputService } from './output-service.ts';
import { serveReverseForwards } from './reverse-forwards.ts';
import { type RunSession, serveSession } from './session.ts';
import type { SessionHost } from './sessions/session-host.ts';

export interface JobSshOptions {
  /** The port that clients know already; another one is taken when it is not free. Null = any. */
  readonly preferredPort: number | null;
  readonly authorizedKeys: AuthorizedKeyLines;
  /** Private key, unencrypted, in a form that `readablePrivateKey` gives. */
  readonly hostKeyPem: string;
  /** A connection as a process of the job would make it; rejects when there is none. */
  readonly dial: (host: string, port: number) => Promise<Duplex>;
  readonly logs: JobOutput;
  /** Runs shells, commands and subsystems. Without it they are refused with a message. */
  readonly exec?: RunSession;
  /** The job's own side of what leads from it to the client; null while it does not run. */
  readonly host?: () => SessionHost | null;
  /** Key lines that cannot be used; never the line itself. */
  readonly onUnusableKey?: (owner: string, reason: string) => void;
  /** How long a connection may take to log in; 20 s if not given. */
  readonly loginMs?: number;
  /** Milliseconds since the epoch; `Date.now` unless a test says otherwise. */
  readonly now?: () => number;
}

export interface JobSsh {
  readonly port: number;
  /** Milliseconds since the epoch when a user was last connected (now, if one is); null = never. */
  lastActivity(): number | null;
  /** Ends all connections. */
  close(): Promise<void>;
}

const LOGIN_MS = 20_000;
const MAX_LOGINS = 50;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_COUNT = 4;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * The SSH server of one job, on a loopback port of its own: the port says which job is meant, since
 * names and keys are the same for all jobs of a user. Forwards go where the job's own processes would
 * get to; `localhost:10999` is the job's output (`/logs_ws`), as the clients of dstack expect it.
 */
export async function startJobSsh(options: JobSshOptions): Promise<JobSsh> {
  const server = new JobSshServer(options);
  await server.listen(options.preferredPort ?? 0);
  return server;
}

class JobSshServer implements JobSsh {
  readonly #options: JobSshOptions;
  readonly #keys: AuthorizedKeys;
  readonly #output: OutputService;
  readonly #ssh: Server;
  readonly #net: NetServer;
  readonly #sockets = new Set<Socket>();
  /** Connections that have not logged in yet, by remote address: their time is limited. */
  readonly #logins = new Map<string, NodeJS.Timeout>();
  #users = 0;
  #lastUser: number | null = null;
  #port = 0;

  constructor(options: JobSshOptions) {
    this.#options = options;
    this.#keys = new AuthorizedKeys(options.authorizedKeys, (owner, reason) =>
      options.onUnusableKey?.(owner, reason),
    );
    this.#output = new OutputService(options.logs);
    this.#ssh = new ssh2.Server(
      {
        hostKeys: [options.hostKeyPem],
        ident: 'dstack',
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVE_COUNT,
        // What else ssh2 has is slower, and OpenSSH would prefer it.
        algorithms: { cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'] },
      },
      (client, info) => this.#serve(client, addressOf(info.ip, info.port)),
    );
    this.#net = createServer({ noDelay: true }, (socket) => this.#connected(socket));
  }

  get port(): number {
    return this.#port;
  }

  lastActivity(): number | null {
    return this.#users > 0 ? this.#now() : this.#lastUser;
  }

  async listen(port: number): Promise<void> {
    try {
      this.#port = await listenOn(this.#net, port);
    } catch (error) {
      if (port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.#port = await listenOn(this.#net, 0);
    }
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    this.#output.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connected(socket: Socket): void {
    if (this.#logins.size >= MAX_LOGINS) {
      socket.destroy();
      return;
    }
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    this.#sockets.add(socket);
    this.#logins.set(
      address,
      setTimeout(() => socket.destroy(), this.#options.loginMs ?? LOGIN_MS),
    );
    // ssh2 reports errors of the connection with those of the client.
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#loggedIn(address);
    });
    this.#ssh.injectSocket(socket);
  }

  #loggedIn(address: string): void {
    clearTimeout(this.#logins.get(address));
    this.#logins.delete(address);
  }

  #serve(client: Connection, address: string): void {
    // The close that follows is all that matters.
    client.on('error', () => {});
    authenticate(client, this.#keys, (identity) => {
      this.#loggedIn(address);
      this.#welcome(client, identity);
    });
  }

  #welcome(client: Connection, identity: Identity): void {
    const rights = RIGHTS[identity.owner];
    if (rights.activity) this.#trackUser(client);
    if (rights.forwards) this.#serveForwards(client);
    const { host } = this.#options;
    if (rights.listens && host) serveReverseForwards(client, identity, host);
    if (rights.sessions) {
      client.on('session', (accept) => {
        serveSession(accept(), client, identity, this.#options.exec ?? null);
      });
    }
  }

  #trackUser(client: Connection): void {
    this.#users += 1;
    client.once('close', () => {
      this.#users -= 1;
      this.#lastUser = this.#now();
    });
  }

  #serveForwards(client: Connection): void {
    let gone = false;
    client.once('close', () => {
      gone = true;
    });
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      if (destPort === OUTPUT_PORT && LOOPBACK.has(destIP)) {
        this.#output.serve(accept());
        return;
      }
      this.#options.dial(destIP, destPort).then(
        (connection) => {
          if (gone) connection.destroy();
          else joinChannel(accept(), connection);
        },
        // The client hears "connect failed", as from any SSH server.
        () => reject(),
      );
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

function listenOn(server: NetServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function addressOf(ip: string | undefined, port: number | undefined): string {
  return `${ip}:${port}`;
}
