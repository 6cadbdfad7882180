import { createHash } from 'node:crypto';
import {
  LOGIN_SHELL,
  type LoginConnection,
  LoginShells,
  type SlurmClusterConfig,
} from '@dstack/backends/slurm';
import { withTimeout } from '@dstack/contract/with-timeout';
import type { SshLogin, Store } from '@dstack/store';
import { type HostKeys, SshConnection, type SshTarget } from '../hosts/ssh/connection.ts';
import { JumpHosts } from '../hosts/ssh/jump-hosts.ts';
import { type ClusterWay, nameOfWay, wayTo } from './cluster-way.ts';

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
  readonly jumps: Pick<JumpHosts, 'openTunnel'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** One SSH connection to the login node of each cluster, opened when it is used. */
export class ClusterLogins {
  readonly #meta: Pick<Store['meta'], 'get' | 'setOnce'>;
  readonly #open = new Map<string, Open>();
  readonly #options: LoginsOptions;
  #closed = false;

  constructor(meta: Pick<Store['meta'], 'get' | 'setOnce'>, options: Partial<LoginsOptions> = {}) {
    this.#meta = meta;
    const defaults = {
      open: SshConnection.open,
      jumps: new JumpHosts(),
      now: () => performance.now(),
    };
    this.#options = { ...defaults, ...options };
  }

  /** Rejects with a `HostError`. */
  async connect(cluster: SlurmClusterConfig): Promise<LoginConnection> {
    const { connection, shells, lastError } = this.#opened(wayTo(cluster));
    const open = await (lastError === null ? connection : soon(connection, lastError));
    return {
      run: (script, timeoutMs) => shells.run(script, timeoutMs),
      forward: ({ host, port }) => open.forward(host, port),
    };
  }

  /** A connection of its own, for copies: they may take so long that it is closed. */
  async separate(cluster: SlurmClusterConfig): Promise<SshConnection> {
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

  async #connect({ login, jump }: ClusterWay): Promise<SshConnection> {
    const { open, jumps } = this.#options;
    const keys = await this.#keysOf(login, { jump, setting: 'hostname' });
    const tunnel =
      jump &&
      (await jumps.openTunnel(
        jump,
        await this.#keysOf(jump, { jump: null, setting: 'proxy_jump.hostname' }),
        login,
      ));
    const connection = await open({ login, tunnel, ...keys });
    if (this.#closed) connection.close();
    return connection;
  }

  /** The first key of a host is stored. Two networks may have hosts of one address behind their jump hosts. */
  async #keysOf(
    { hostname, port }: SshLogin,
    { jump, setting }: { readonly jump: SshLogin | null; readonly setting: string },
  ): Promise<HostKeys> {
    const behind = jump === null ? '' : ` behind ${jump.hostname}:${jump.port}`;
    const key = `slurm-host-key:${hostname}:${port}${behind}`;
    const pinned = await this.#meta.get(key);
    return {
      hostKeys: pinned === null ? {} : { [`${hostname}:${port}`]: pinned },
      pin: async (_address, hostKey) => {
        await this.#meta.setOnce(key, hostKey);
      },
      ifChanged: `write another name or address of it as \`${setting}\` of the cluster in the configuration of the server`,
    };
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

function fingerprintOf(way: ClusterWay): string {
  const keys = [way.login.privateKey, way.jump?.privateKey ?? ''];
  const key = createHash('sha256').update(keys.join('\0')).digest('hex');
  return `${nameOfWay(way)} ${key}`;
}
