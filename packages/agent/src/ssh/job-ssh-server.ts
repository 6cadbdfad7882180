import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  authenticate,
  isOutputService,
  type JobOutput,
  joinChannel,
  OutputService,
  SshListener,
} from '@dstack/ssh';
import type { Connection } from 'ssh2';
import type { SessionHost } from '../executor/session-host.ts';
import { monotonicMs } from '../host/clock.ts';
import {
  type AuthorizedKeyLines,
  AuthorizedKeys,
  type KeyOwner,
  RIGHTS,
  type SshIdentity,
} from './authorized-keys.ts';
import { serveReverseForwards } from './reverse-forwards.ts';
import { type RunSession, serveSession } from './session.ts';

export interface JobSshOptions {
  /** The port that clients already use; another one is chosen if it is not free. Null = any. */
  readonly preferredPort: number | null;
  /** Used instead of a port of its own. */
  readonly openPort?: Server;
  readonly authorizedKeys: AuthorizedKeyLines;
  /** Private key, unencrypted, as `generateHostKey` returns it. */
  readonly hostKeyPem: string;
  /** Connects as a process of the job would. Rejects if that fails. */
  readonly dial: (host: string, port: number) => Promise<Duplex>;
  readonly logs: JobOutput;
  /** Runs shells, commands and subsystems. Without it they are refused with a message. */
  readonly exec?: RunSession;
  /** The running job, for forwards from the job to the client; null while it does not run. */
  readonly host?: () => SessionHost | null;
  /** Called for each unusable key line, without the line itself. */
  readonly onUnusableKey?: (owner: string, reason: string) => void;
  /** Time limit for the login; 20 s by default. */
  readonly loginMs?: number;
  /** Milliseconds since the epoch; `Date.now` except in tests. */
  readonly now?: () => number;
}

export interface JobSsh {
  readonly port: number;
  /** When a user was last connected, by `monotonicMs` (now, if one is); null = never. */
  lastActivity(): number | null;
  /** Replaces the users' keys. Connections of keys that are no longer listed end. */
  authorizeUsers(keys: readonly string[]): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

interface LoggedIn {
  readonly owner: KeyOwner;
  /** The key of the login. */
  readonly blob: Buffer;
  readonly hangUp: () => void;
}

const LOCAL = '127.0.0.1';

/**
 * The SSH server of one job, on its own loopback port: the port identifies the job, since names and
 * keys are the same for all jobs of a user. Forwards connect as the job's own processes would;
 * `localhost:10999` is the job's output (`/logs_ws`), as clients of dstack expect.
 */
export async function startJobSsh(options: JobSshOptions): Promise<JobSsh> {
  const server = new JobSshServer(options);
  await server.listen(options.preferredPort ?? 0);
  return server;
}

class JobSshServer implements JobSsh {
  readonly #options: JobSshOptions;
  readonly #output: OutputService;
  readonly #listener: SshListener;
  #keys: AuthorizedKeys;
  /** The open connections, by the key of the login. */
  readonly #clients = new Set<LoggedIn>();
  #users = 0;
  #lastUser: number | null = null;
  #port = 0;

  constructor(options: JobSshOptions) {
    this.#options = options;
    this.#keys = this.#read(options.authorizedKeys);
    this.#output = new OutputService(options.logs);
    this.#listener = new SshListener({
      hostKeyPem: options.hostKeyPem,
      ...(options.openPort === undefined ? {} : { port: options.openPort }),
      ...(options.loginMs === undefined ? {} : { loginMs: options.loginMs }),
      serve: (client, { done, hangUp }) =>
        authenticate(
          client,
          (blob) => this.#keys.find(blob),
          ({ owner, key }, login) => {
            done();
            const loggedIn = { owner, blob: key.getPublicSSH(), hangUp };
            this.#clients.add(loggedIn);
            client.once('close', () => this.#clients.delete(loggedIn));
            this.#welcome(client, { owner, login });
          },
        ),
    });
  }

  get port(): number {
    return this.#port;
  }

  lastActivity(): number | null {
    return this.#users > 0 ? this.#now() : this.#lastUser;
  }

  async listen(port: number): Promise<void> {
    try {
      this.#port = await this.#listener.listen(LOCAL, port);
    } catch (error) {
      if (port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.#port = await this.#listener.listen(LOCAL, 0);
    }
  }

  authorizeUsers(user: readonly string[]): void {
    this.#keys = this.#read({ ...this.#options.authorizedKeys, user });
    for (const { owner, blob, hangUp } of this.#clients) {
      if (this.#keys.find(blob)?.owner !== owner) hangUp();
    }
  }

  #read(lines: AuthorizedKeyLines): AuthorizedKeys {
    return new AuthorizedKeys(lines, (owner, reason) =>
      this.#options.onUnusableKey?.(owner, reason),
    );
  }

  async close(): Promise<void> {
    this.#output.close();
    await this.#listener.close();
  }

  #welcome(client: Connection, identity: SshIdentity): void {
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
    let isClosed = false;
    client.once('close', () => {
      isClosed = true;
    });
    client.on('tcpip', (accept, reject, { destIP, destPort }) => {
      if (isOutputService(destIP, destPort)) {
        this.#output.serve(accept());
        return;
      }
      this.#options.dial(destIP, destPort).then(
        (connection) => {
          if (isClosed) connection.destroy();
          else joinChannel(accept(), connection);
        },
        // The client receives "connect failed", as from any SSH server.
        () => reject(),
      );
    });
  }

  #now(): number {
    return (this.#options.now ?? monotonicMs)();
  }
}
