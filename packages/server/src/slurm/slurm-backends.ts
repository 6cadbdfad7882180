import type { Backend } from '@dstack/backends';
import { SlurmBackendConfigWithCreds } from '@dstack/contract/wire';
import { type Id, requirementsMatch } from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { joinSecrets } from '../backend-config/secrets.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import { ClusterLogins } from './logins.ts';
import { ClusterProgramCopies } from './program-copies.ts';

export interface SlurmBackendsOptions {
  readonly store: Pick<Store, 'backends' | 'meta' | 'cipher'>;
  readonly serverId: string;
  readonly programs: Programs;
}

interface Opened {
  readonly updatedAt: number;
  readonly backend: Promise<Backend>;
}

/**
 * The Slurm backends of all projects. Each is opened when it is used first, so that a server without
 * one loads no code for them, and again when its configuration changes.
 */
export class SlurmBackends {
  readonly #options: SlurmBackendsOptions;
  readonly #opened = new Map<Id, Opened>();
  readonly #logins: ClusterLogins;
  readonly #copies: ClusterProgramCopies;

  constructor(options: SlurmBackendsOptions) {
    this.#options = options;
    this.#logins = new ClusterLogins(options.store.meta);
    this.#copies = new ClusterProgramCopies(this.#logins, options.programs);
  }

  /** Null: the row is of another kind. */
  async of(row: BackendRecord): Promise<Backend | null> {
    if (row.type !== 'slurm') return null;
    const known = this.#opened.get(row.id);
    if (known?.updatedAt === row.updatedAt) return await known.backend;
    const opened = { updatedAt: row.updatedAt, backend: this.#open(row) };
    opened.backend.catch(() => {
      if (this.#opened.get(row.id) === opened) this.#opened.delete(row.id);
    });
    this.#opened.set(row.id, opened);
    return await opened.backend;
  }

  close(): void {
    this.#logins.close();
    this.#opened.clear();
  }

  async #open(row: BackendRecord): Promise<Backend> {
    const { store, serverId } = this.#options;
    const [{ slurmBackend }, full, secret] = await Promise.all([
      import('@dstack/backends/slurm'),
      store.backends.byType(row.projectId, row.type),
      agentSecret(store),
    ]);
    const joined = joinSecrets({ config: row.config, auth: full?.auth ?? {} });
    return slurmBackend({
      ...{ serverId, secret, matches: requirementsMatch, now: Date.now },
      clusters: SlurmBackendConfigWithCreds.parse(joined).clusters,
      connect: (cluster) => this.#logins.connect(cluster),
      deliver: (cluster) => this.#copies.deliver(cluster),
    });
  }
}
