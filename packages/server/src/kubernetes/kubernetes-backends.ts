import type { Backend } from '@dstack/backends';
import type { AgentPrograms, OpenedKubernetes } from '@dstack/backends/kubernetes';
import { KubernetesBackendConfigWithCreds } from '@dstack/contract/wire';
import { type Id, requirementsMatch } from '@dstack/core';
import type { BackendRecord, Store } from '@dstack/store';
import { joinSecrets } from '../backend-config/secrets.ts';
import { WatchedBackends } from '../capacity/watched-backends.ts';
import { agentSecret } from '../hosts/agent-secret.ts';
import type { Logger } from '../logging.ts';
import type { KubernetesServerSettings } from './kubernetes-settings.ts';

export interface KubernetesBackendsOptions {
  readonly store: Pick<Store, 'backends' | 'instances' | 'engine' | 'projects' | 'meta' | 'cipher'>;
  readonly serverId: string;
  readonly settings: KubernetesServerSettings;
  readonly programs: AgentPrograms;
  readonly log: Logger;
}

interface Opened {
  readonly updatedAt: number;
  readonly kubernetes: Promise<OpenedKubernetes>;
}

/**
 * The Kubernetes backends of all projects. Each is opened when it is used first, so that a server
 * without one loads no code for them, and again when its configuration changes.
 */
export class KubernetesBackends {
  readonly #options: KubernetesBackendsOptions;
  readonly #opened = new Map<Id, Opened>();
  readonly #watched: WatchedBackends;
  #closed = false;

  constructor(options: KubernetesBackendsOptions) {
    this.#options = options;
    const { store, log } = options;
    this.#watched = new WatchedBackends({ store, log });
  }

  /** Null: the row is of another kind. Rejects if its kubeconfig cannot be used. */
  async of(row: BackendRecord): Promise<Backend | null> {
    if (row.type !== 'kubernetes') return null;
    const known = this.#opened.get(row.id);
    if (known?.updatedAt === row.updatedAt) return (await known.kubernetes).backend;
    known?.kubernetes.then(({ close }) => close()).catch(() => {});
    const kubernetes = this.#open(row);
    this.#opened.set(row.id, { updatedAt: row.updatedAt, kubernetes });
    return (await kubernetes).backend;
  }

  /** Follows the pods that exist. A backend that cannot be opened reports that when it is used. */
  async start(): Promise<void> {
    const { store, log } = this.#options;
    const projects = await store.projects.list({});
    const rows = await store.backends.list(projects.map(({ id }) => id));
    for (const row of rows.filter(({ type }) => type === 'kubernetes')) {
      this.of(row).catch((error) => log.warn({ err: error }, 'Kubernetes backend not opened'));
    }
  }

  close(): void {
    this.#closed = true;
    this.#watched.close();
    for (const { kubernetes } of this.#opened.values()) {
      kubernetes.then(({ close }) => close()).catch(() => {});
    }
    this.#opened.clear();
  }

  async #open(row: BackendRecord): Promise<OpenedKubernetes> {
    const { store, serverId, programs, settings } = this.#options;
    const [{ openKubernetes }, full, secret] = await Promise.all([
      import('@dstack/backends/kubernetes'),
      store.backends.byType(row.projectId, row.type),
      agentSecret(store),
    ]);
    const joined = joinSecrets({ config: row.config, auth: full?.auth ?? {} });
    const config = KubernetesBackendConfigWithCreds.parse(joined);
    const matches = requirementsMatch;
    const opened = openKubernetes({ config, serverId, secret, programs, matches, ...settings });
    if (this.#closed) opened.close();
    else await this.#watched.watch(row.projectId, opened.backend);
    return opened;
  }
}
