import type { Backend } from '@dstack/backends';
import { SlurmBackendConfigWithCreds } from '@dstack/contract/wire';
import { type Id, requirementsMatch } from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { joinSecrets } from '../backend-config/secrets.ts';
import { WatchedBackends } from '../capacity/watched-backends.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Programs } from '../hosts/ssh/programs.ts';
import type { Logger } from '../logging.ts';
import { ClusterLogins } from './logins.ts';
import { ClusterProgramCopies } from './program-copies.ts';
import type { SlurmServerSettings } from './slurm-settings.ts';

export interface SlurmBackendsOptions {
  readonly store: Pick<Store, 'backends' | 'instances' | 'engine' | 'projects' | 'meta' | 'cipher'>;
  readonly serverId: string;
  readonly programs: Programs;
  readonly log: Logger;
  readonly settings: SlurmServerSettings;
}

interface Opened {
  readonly updatedAt: number;
  readonly backend: Promise<Backend>;
  /** Ends the watch of its queues. */
  end: () => void;
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
  readonly #watched: WatchedBackends;
  #closed = false;

  constructor(options: SlurmBackendsOptions) {
    this.#options = options;
    this.#logins = new ClusterLogins(options.store.meta);
    this.#copies = new ClusterProgramCopies(this.#logins, options.programs);
    const { store, log } = options;
    this.#watched = new WatchedBackends({ store, log });
  }

  /** Null: the row is of another kind. */
  async of(row: BackendRecord): Promise<Backend | null> {
    if (row.type !== 'slurm') return null;
    const known = this.#opened.get(row.id);
    if (known?.updatedAt === row.updatedAt) return await known.backend;
    known?.end();
    const opened: Opened = { updatedAt: row.updatedAt, backend: this.#open(row), end: () => {} };
    this.#opened.set(row.id, opened);
    try {
      const backend = await opened.backend;
      const end = await this.#watched.watch(row.projectId, backend);
      if (this.#closed || this.#opened.get(row.id) !== opened) end();
      else opened.end = end;
      return backend;
    } catch (error) {
      if (this.#opened.get(row.id) === opened) this.#opened.delete(row.id);
      throw error;
    }
  }

  /** Follows the jobs that exist. A backend that cannot be opened reports that when it is used. */
  async start(): Promise<void> {
    const { store, log } = this.#options;
    const projects = await store.projects.list({});
    const rows = await store.backends.list(projects.map(({ id }) => id));
    for (const row of rows.filter(({ type }) => type === 'slurm')) {
      this.of(row).catch((error) => log.warn({ err: error }, 'Slurm backend not opened'));
    }
  }

  close(): void {
    this.#closed = true;
    this.#watched.close();
    this.#logins.close();
    this.#opened.clear();
  }

  async #open(row: BackendRecord): Promise<Backend> {
    const { store, serverId, settings } = this.#options;
    const [{ slurmBackend }, full, secret] = await Promise.all([
      import('@dstack/backends/slurm'),
      store.backends.byType(row.projectId, row.type),
      agentSecret(store),
    ]);
    const joined = joinSecrets({ config: row.config, auth: full?.auth ?? {} });
    return slurmBackend({
      ...{ serverId, secret, matches: requirementsMatch, now: Date.now, ...settings },
      clusters: SlurmBackendConfigWithCreds.parse(joined).clusters,
      connect: (cluster) => this.#logins.connect(cluster),
      deliver: (cluster) => this.#copies.deliver(cluster),
    });
  }
}
