import { createHash } from 'node:crypto';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { KeptFacts } from '../base/kind.ts';
import type {
  RemoteConnection,
  RemoteKeys,
  RemoteLogin,
  RemoteWay,
  SshOpener,
} from '../base/ssh.ts';
import { type ClusterWay, nameOfWay, wayTo } from './cluster-way.ts';
import { LOGIN_SHELL, type LoginConnection } from './login.ts';
import { LoginShells } from './login-shells.ts';
import type { SlurmClusterConfig } from './partitions.ts';

/** After a failure: the connections to all jobs of a cluster are tried again, each by itself. */
const PAUSE_MS = 1000;
/** How long a caller waits for a login after one that failed: its error is known. */
const AGAIN_MS = 2000;
/** Login nodes lock out addresses from which many logins are refused. */
const REFUSED_PAUSE_MS = 20_000;

interface Open {
  /** Fingerprint of the login, so that a changed one is not used any more. */
  readonly fingerprint: string;
  readonly connection: Promise<RemoteConnection>;
  readonly shells: LoginShells;
  /** Null until it is open. */
  opened: RemoteConnection | null;
  /** Null unless it has failed. */
  error: unknown;
  /** Set when it has failed: until then nothing is tried again, in milliseconds since the epoch. */
  pausedUntil: number;
  /** Error of the attempt before this one; null = there was none. */
  readonly lastError: unknown;
}

export interface LoginHost {
  readonly ssh: SshOpener;
  /** Host keys are pinned there. */
  readonly facts: Pick<KeptFacts, 'get' | 'setOnce'>;
}

/** One SSH connection to the login node of each cluster, opened when it is used. */
export class ClusterLogins {
  readonly #host: LoginHost;
  readonly #now: () => number;
  readonly #open = new Map<string, Open>();
  #closed = false;

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(host: LoginHost, now = () => performance.now()) {
    this.#host = host;
    this.#now = now;
  }

  /** Rejects with a text for people. */
  async connect(cluster: SlurmClusterConfig): Promise<LoginConnection> {
    const { connection, shells, lastError } = this.#opened(wayTo(cluster));
    const open = await (lastError === null ? connection : soon(connection, lastError));
    return {
      run: (script, timeoutMs) => shells.run(script, timeoutMs),
      forward: ({ host, port }) => open.forward(host, port),
    };
  }

  /** A connection of its own, for copies: they may take so long that it is closed. */
  async separate(cluster: SlurmClusterConfig): Promise<RemoteConnection> {
    return await this.#connect(wayTo(cluster));
  }

  #opened(way: ClusterWay): Open {
    const fingerprint = fingerprintOf(way);
    const known = this.#open.get(fingerprint);
    if (known && this.#isUsable(known)) return known;
    const connection = this.#connect(way);
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
        opening.pausedUntil = this.#now() + pauseAfter(error);
      },
    );
    this.#open.set(fingerprint, opening);
    return opening;
  }

  #isUsable({ opened, error, pausedUntil }: Open): boolean {
    if (error !== null) return this.#now() < pausedUntil;
    return opened === null || opened.isOpen;
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#open.values()) {
      connection.then((open) => open.close()).catch(() => {});
    }
    this.#open.clear();
  }

  async #connect({ login, jump, isOperators }: ClusterWay): Promise<RemoteConnection> {
    const place = async (of: RemoteLogin, behind: RemoteLogin | null, setting: string) => ({
      login: of,
      keys: await this.#keysOf(of, { jump: behind, setting }),
    });
    const way: RemoteWay = {
      ...(await place(login, jump, 'hostname')),
      jump: jump && (await place(jump, null, 'proxy_jump.hostname')),
      mayReachServer: isOperators,
    };
    const connection = await this.#host.ssh.open(way);
    if (this.#closed) connection.close();
    return connection;
  }

  /** The first key of a host is stored. Two networks may have hosts of one address behind their jump hosts. */
  async #keysOf(
    { hostname, port }: RemoteLogin,
    { jump, setting }: { readonly jump: RemoteLogin | null; readonly setting: string },
  ): Promise<RemoteKeys> {
    const behind = jump === null ? '' : ` behind ${jump.hostname}:${jump.port}`;
    const key = `slurm-host-key:${hostname}:${port}${behind}`;
    const pinned = await this.#host.facts.get(key);
    return {
      hostKeys: pinned === null ? {} : { [`${hostname}:${port}`]: pinned },
      pin: async (_address, hostKey) => {
        await this.#host.facts.setOnce(key, hostKey);
      },
      ifChanged: `write another name or address of it as \`${setting}\` of the cluster in the configuration of the server`,
    };
  }
}

/** An attempt continues when its callers have the error of the one before it. */
async function soon(connection: Promise<RemoteConnection>, lastError: unknown) {
  const onTimeout = () => {
    throw lastError;
  };
  return await withTimeout(() => connection, { ms: AGAIN_MS, onTimeout });
}

function pauseAfter(error: unknown): number {
  const { level } = ((error as Error).cause ?? {}) as { readonly level?: string };
  return level === 'client-authentication' ? REFUSED_PAUSE_MS : PAUSE_MS;
}

function shellsOf(connection: Promise<RemoteConnection>): LoginShells {
  return new LoginShells(async () => {
    const channel = await (await connection).start(LOGIN_SHELL);
    const close = () => channel.close();
    return { stdin: channel, stdout: channel, stderr: channel.stderr, close };
  });
}

function fingerprintOf(way: ClusterWay): string {
  const keys = [way.login.privateKey, way.jump?.privateKey ?? '', String(way.isOperators)];
  const key = createHash('sha256').update(keys.join('\0')).digest('hex');
  return `${nameOfWay(way)} ${key}`;
}
