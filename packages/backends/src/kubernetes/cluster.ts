/** One cluster of a backend: its API, and what is known of it by watching. */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { KubeClient } from './api/client.ts';
import { Follow } from './api/follow.ts';
import type { ClusterAccess } from './api/kubeconfig.ts';
import type { KubeNode, Pod } from './api/objects.ts';
import { MANAGED, SERVER_LABEL } from './labels.ts';
import { type NodeFacts, nodeFacts, type PodUse, podUse } from './node-room.ts';
import { clusterOffers } from './offers.ts';

export interface ClusterOptions {
  readonly access: ClusterAccess;
  /** The name of the cluster in offers; empty for a backend without contexts. */
  readonly region: string;
  readonly namespace: string;
  readonly serverId: string;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

export class Cluster {
  readonly client: KubeClient;
  readonly region: string;
  readonly namespace: string;
  readonly #options: ClusterOptions;
  readonly #listeners = new Set<(pod: string) => void>();
  #nodes: Follow<KubeNode, NodeFacts> | null = null;
  #uses: Follow<Pod, PodUse> | null = null;
  #ours: Follow<Pod, Pod> | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.client = new KubeClient(options.access);
    this.region = options.region;
    this.namespace = options.namespace;
  }

  /** For people. */
  get title(): string {
    return this.#options.access.context;
  }

  close(): void {
    for (const follow of [this.#nodes, this.#uses, this.#ours]) follow?.close();
    this.client.close();
  }

  path(kind: string, name?: string): string {
    const base = `/api/v1/namespaces/${this.namespace}/${kind}`;
    return name === undefined ? base : `${base}/${name}`;
  }

  /** Rejects if the nodes, or what runs on them, cannot be listed. */
  async offers(requirements: Requirements): Promise<Offer[]> {
    const { client } = this;
    this.#nodes ??= new Follow({ client, path: '/api/v1/nodes', keep: nodeFacts });
    this.#uses ??= new Follow({
      ...{ client, path: '/api/v1/pods', keep: podUse },
      query: { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' },
    });
    await Promise.all([this.#nodes.ready(), this.#uses.ready()]);
    return clusterOffers({
      ...{ region: this.region, requirements, matches: this.#options.matches },
      nodes: this.#nodes.items.values(),
      pods: this.#uses.items.values(),
    });
  }

  /** Why offers may be out of date; null = they are current. */
  get staleBecause(): unknown {
    return this.#nodes?.error ?? this.#uses?.error ?? null;
  }

  /** Null: it does not exist. */
  async pod(name: string): Promise<Pod | null> {
    const known = this.#ours?.isCurrent && this.#ours.items.get(`${this.namespace}/${name}`);
    return known || (await this.client.find<Pod>({ path: this.path('pods', name) }));
  }

  /** Calls `onChange` with the name of each pod of this server that changes. */
  watch(onChange: (pod: string) => void): () => void {
    this.#listeners.add(onChange);
    this.#ours ??= new Follow<Pod, Pod>({
      client: this.client,
      path: this.path('pods'),
      query: { labelSelector: this.selector('job') },
      keep: (pod) => pod,
      onChange: (id) => {
        const name = id.slice(this.namespace.length + 1);
        for (const listener of this.#listeners) listener(name);
      },
    });
    return () => this.#listeners.delete(onChange);
  }

  selector(component: 'job' | 'volume', server = this.#options.serverId): string {
    const labels = {
      ...MANAGED,
      'app.kubernetes.io/name': `dstack-${component}`,
      [SERVER_LABEL]: server,
    };
    return Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(',');
  }
}
