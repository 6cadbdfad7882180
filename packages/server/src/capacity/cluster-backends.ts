import { type Backend, BackendError } from '@dstack/backends';
import type { Id } from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { joinSecrets } from '../backend-config/secrets.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Logger } from '../process/logging.ts';
import { WatchedBackends, type WatchedBackendsOptions } from './watched-backends.ts';

export interface OpenedCluster {
  readonly backend: Backend;
  /** Ends connections; jobs continue. */
  close(): void;
}

/** How backends of one type are opened. */
export interface ClusterKind {
  readonly type: BackendRecord['type'];
  /**
   * `config`: of the row, with its credentials. `secret`: the agents' tokens are derived from it.
   * Rejects for a configuration that cannot be used.
   */
  readonly open: (config: unknown, secret: string) => Promise<OpenedCluster>;
  /** Ends what the backends of this type share. */
  readonly close?: () => void;
}

export interface ClusterBackendsOptions extends Pick<WatchedBackendsOptions, 'onReport'> {
  readonly store: Pick<Store, 'backends' | 'instances' | 'engine' | 'projects' | 'meta' | 'cipher'>;
  readonly log: Logger;
  readonly kinds: readonly ClusterKind[];
}

interface Opened {
  readonly updatedAt: number;
  readonly cluster: Promise<OpenedCluster>;
}

/**
 * The backends of all projects that are clusters of the users. Each is opened when it is used first, so
 * that a server without one loads no code for them, and again when its configuration changes.
 */
export class ClusterBackends {
  readonly #options: ClusterBackendsOptions;
  readonly #kinds: ReadonlyMap<string, ClusterKind>;
  readonly #opened = new Map<Id, Opened>();
  readonly #watched: WatchedBackends;
  #closed = false;

  constructor(options: ClusterBackendsOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((kind) => [kind.type, kind]));
    this.#watched = new WatchedBackends(options);
  }

  /** Null: the row is of another type. Rejects if its configuration cannot be used. */
  async of(row: BackendRecord): Promise<Backend | null> {
    const kind = this.#kinds.get(row.type);
    if (!kind) return null;
    if (this.#closed) throw new BackendError('the server is ending');
    const known = this.#opened.get(row.id);
    if (known?.updatedAt === row.updatedAt) return (await known.cluster).backend;
    if (known) end(known);
    const opened = { updatedAt: row.updatedAt, cluster: this.#open(kind, row) };
    this.#opened.set(row.id, opened);
    try {
      return (await opened.cluster).backend;
    } catch (error) {
      if (this.#opened.get(row.id) === opened) this.#opened.delete(row.id);
      throw error;
    }
  }

  /** Follows the jobs that exist. A backend that cannot be opened reports that when it is used. */
  async start(): Promise<void> {
    const { store, log } = this.#options;
    const projects = await store.projects.list({});
    for (const row of await store.backends.list(projects.map(({ id }) => id))) {
      this.of(row).catch((error) => {
        log.warn({ backend: row.type, err: error }, 'backend not opened');
      });
    }
  }

  close(): void {
    this.#closed = true;
    for (const opened of this.#opened.values()) end(opened);
    this.#opened.clear();
    for (const kind of this.#kinds.values()) kind.close?.();
  }

  async #open(kind: ClusterKind, row: BackendRecord): Promise<OpenedCluster> {
    const { store } = this.#options;
    const [full, secret] = await Promise.all([
      store.backends.byType(row.projectId, row.type),
      agentSecret(store),
    ]);
    const config = joinSecrets({ config: row.config, auth: full?.auth ?? {} });
    const { backend, close } = await kind.open(config, secret);
    try {
      const unwatch = await this.#watched.watch(row.projectId, backend);
      const closeAll = () => {
        unwatch();
        close();
      };
      return { backend, close: closeAll };
    } catch (error) {
      close();
      throw error;
    }
  }
}

function end({ cluster }: Opened): void {
  cluster.then(({ close }) => close()).catch(() => {});
}
