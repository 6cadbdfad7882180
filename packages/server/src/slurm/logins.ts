import { createHash } from 'node:crypto';
import type { LoginConnection, SlurmClusterConfig } from '@dstack/backends/slurm';
import type { SshLogin, Store } from '@dstack/store';
import { SshConnection } from '../hosts/ssh/connection.ts';

const SSH_PORT = 22;

interface Open {
  /** Of the login, so that a changed one is not used any more. */
  readonly fingerprint: string;
  readonly connection: Promise<SshConnection>;
}

/** One SSH connection to the login node of each cluster, opened when it is used. */
export class ClusterLogins {
  readonly #meta: Pick<Store['meta'], 'get' | 'setOnce'>;
  readonly #open = new Map<string, Open>();
  #closed = false;

  constructor(meta: Pick<Store['meta'], 'get' | 'setOnce'>) {
    this.#meta = meta;
  }

  /** Rejects with a `HostError`. */
  async connect(cluster: SlurmClusterConfig): Promise<LoginConnection> {
    const connection = await this.connection(cluster);
    return {
      exec: (command, options) => connection.exec(command, options),
      forward: ({ host, port }) => connection.forward(host, port),
    };
  }

  async connection(cluster: SlurmClusterConfig): Promise<SshConnection> {
    const login = loginOf(cluster);
    const fingerprint = fingerprintOf(login);
    const known = this.#open.get(fingerprint);
    const present = await known?.connection.catch(() => null);
    if (present?.isOpen) return present;
    // Another caller that waited may have begun to open it again.
    if (this.#open.get(fingerprint) === known) {
      this.#open.set(fingerprint, { fingerprint, connection: this.#connect(login) });
    }
    return await (this.#open.get(fingerprint) as Open).connection;
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
    const connection = await SshConnection.open({
      login,
      hostKeys: pinned === null ? {} : { [`${hostname}:${port}`]: pinned },
      pin: async (_address, hostKey) => {
        await this.#meta.setOnce(key, hostKey);
      },
    });
    if (this.#closed) connection.close();
    return connection;
  }
}

function loginOf({ hostname, port, user, private_key }: SlurmClusterConfig): SshLogin {
  return { hostname, port: port ?? SSH_PORT, user, privateKey: private_key.content };
}

function fingerprintOf({ hostname, port, user, privateKey }: SshLogin): string {
  const key = createHash('sha256').update(privateKey).digest('hex');
  return `${user}@${hostname}:${port} ${key}`;
}
