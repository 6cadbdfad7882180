import { createHash } from 'node:crypto';
import {
  LOGIN_SHELL,
  type LoginConnection,
  LoginShells,
  type SlurmClusterConfig,
} from '@dstack/backends/slurm';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { SshLogin, Store } from '@dstack/store';
import { SshConnection, type SshTarget } from '../hosts/ssh/connection.ts';

const SSH_PORT = 22;
/** After a failure: the connections to all jobs of a cluster are tried again, each by itself. */
const PAUSE_MS = 1000;
/** How long a caller waits for a login after one that failed: its error is known. */
const AGAIN_MS = 2000;
/** Login nodes lock out addresses from which many logins are refused. */
const REFUSED_PAUSE_MS = 20_000;

interface Open {
  /** Of the login, so that a changed one is not used any more. */
  readonly fingerprint: string;
  readonly connection: Promise<SshConnection>;
  readonly shells: LoginShells;
  /** Null until it is open. */
  opened: SshConnection | null;
  /** Null unless it has failed. */
  error: unknown;
  /** Set when it has failed: until then nothing is tried again, in milliseconds since the epoch. */
  pausedUntil: number;
  /** Of the attempt before this one. */
  readonly lastError: unknown;
}

interface LoginsOptions {
  readonly open: (target: SshTarget) => Promise<SshConnection>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** One SSH connection to the login node of each cluster, opened when it is used. */
export class ClusterLogins {
  readonly #meta: Pick<Store['meta'], 'get' | 'setOnce'>;
  readonly #open = new Map<string, Open>();
  readonly #options: LoginsOptions;
  #closed = false;

  constructor(
    meta: Pick<Store['meta'], 'get' | 'setOnce'>,
    options: LoginsOptions = { open: SshConnection.open, now: Date.now },
  ) {
    this.#meta = meta;
    this.#options = options;
  }

  /** Rejects with a `HostError`. */
  async connect(cluster: SlurmClusterConfig): Promise<LoginConnection> {
    const { connection, shells, lastError } = this.#opened(loginOf(cluster));
    const open = await (lastError === null ? connection : soon(connection, lastError));
    return {
      run: (script, timeoutMs) => shells.run(script, timeoutMs),
      forward: ({ host, port }) => open.forward(host, port),
    };
  }

  /** A connection of its own, for copies: they may take so long that it is closed. */
  async separate(cluster: SlurmClusterConfig): Promise<SshConnection> {
    return await this.#connect(loginOf(cluster));
  }

  #opened(login: SshLogin): Open {
    const fingerprint = fingerprintOf(login);
    const known = this.#open.get(fingerprint);
    if (known && this.#isUsable(known)) return known;
    const connection = this.#connect(login);
    const opening: Open = {
      ...{ fingerprint, connection, shells: shellsOf(connection) },
      ...{ opened: null, error: null, pausedUntil: 0, lastError: known?.error ?? null },
    };
    connection.then(
      (opened) => {
        opening.opened = opened;
      },
      (error: unknown) => {
        opening.error = error;
        opening.pausedUntil = this.#options.now() + pauseAfter(error);
      },
    );
    this.#open.set(fingerprint, opening);
    return opening;
  }

  #isUsable({ opened, error, pausedUntil }: Open): boolean {
    if (error !== null) return this.#options.now() < pausedUntil;
    return opened === null || opened.isOpen;
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#open.values()) {
      connection.then((open) => open.close()).catch(() => {});
    }
    this.#open.clear();
  }

  async #connect(login: SshLogin): Promise<SshConnection> {
    const { hostname, port } = login;
    const key = `slurm-host-key:${hostname}:${port}`;
    const pinned = await this.#meta.get(key);
    const connection = await this.#options.open({
      login,
      hostKeys: pinned === null ? {} : { [`${hostname}:${port}`]: pinned },
      pin: async (_address, hostKey) => {
        await this.#meta.setOnce(key, hostKey);
      },
      ifChanged:
        'write another name or address of it as `hostname` of the cluster in the configuration of the server',
    });
    if (this.#closed) connection.close();
    return connection;
  }
}

/** An attempt continues when its callers have the error of the one before it. */
async function soon(connection: Promise<SshConnection>, lastError: unknown) {
  const onTimeout = () => {
    throw lastError;
  };
  return await withTimeout(() => connection, { ms: AGAIN_MS, onTimeout });
}

function pauseAfter(error: unknown): number {
  const { level } = ((error as Error).cause ?? {}) as { readonly level?: string };
  return level === 'client-authentication' ? REFUSED_PAUSE_MS : PAUSE_MS;
}

function shellsOf(connection: Promise<SshConnection>): LoginShells {
  return new LoginShells(async () => {
    const channel = await (await connection).start(LOGIN_SHELL);
    const close = () => channel.close();
    return { stdin: channel, stdout: channel, stderr: channel.stderr, close };
  });
}

function loginOf({ hostname, port, user, private_key }: SlurmClusterConfig): SshLogin {
  return { hostname, port: port ?? SSH_PORT, user, privateKey: private_key.content };
}

function fingerprintOf({ hostname, port, user, privateKey }: SshLogin): string {
  const key = createHash('sha256').update(privateKey).digest('hex');
  return `${user}@${hostname}:${port} ${key}`;
}
