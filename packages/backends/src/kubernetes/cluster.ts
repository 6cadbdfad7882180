/** One cluster of a backend: its API, and what is known of it by watching. */
import type { PriceRates, Requirements } from '@dstack/contract/wire';
import { type Offer, ratedPrice } from '@dstack/core';
import { ApiError, FORBIDDEN, KubeClient } from './api/client.ts';
import { Follow } from './api/follow.ts';
import type { ClusterAccess } from './api/kubeconfig.ts';
import type { KubeEvent, KubeList, KubeNode, Pod } from './api/objects.ts';
import { keptPod } from './kept-pod.ts';
import { isOurName, MANAGED, SERVER_LABEL } from './labels.ts';
import { type NodeFacts, nodeFacts, type PodUse, podUse } from './node-room.ts';
import { clusterOffers, cordonedNodes } from './offers.ts';
import { POD_EVENTS, PodEvents } from './pod-events.ts';

export interface ClusterOptions {
  readonly access: ClusterAccess;
  /** The name of the cluster in offers; empty for a backend without contexts. */
  readonly region: string;
  readonly namespace: string;
  readonly serverId: string;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** Null, or omitted: what its nodes cost is not known. */
  readonly rates?: PriceRates | null;
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
  #events: PodEvents | null = null;

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
    for (const one of [this.#nodes, this.#uses, this.#ours, this.#events]) one?.close();
    this.client.close();
  }

  path(kind: string, name?: string): string {
    const base = `/api/v1/namespaces/${this.namespace}/${kind}`;
    return name === undefined ? base : `${base}/${name}`;
  }

  /** USD per hour; 0 = it is not known. */
  priceOf(resources: Offer['instance']['resources']): number {
    return ratedPrice(this.#options.rates, resources);
  }

  /** Rejects if the nodes, or what runs on them, cannot be listed. */
  async offers(requirements: Requirements): Promise<{ offers: Offer[]; closed: string[] }> {
    const { client } = this;
    this.#nodes ??= new Follow({ client, path: '/api/v1/nodes', keep: nodeFacts });
    this.#uses ??= new Follow({
      ...{ client, path: '/api/v1/pods', keep: podUse },
      query: { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' },
    });
    await Promise.all([this.#nodes.ready(), this.#uses.ready()]);
    const input = {
      ...{ region: this.region, requirements, matches: this.#options.matches },
      priceOf: (resources: Offer['instance']['resources']) => this.priceOf(resources),
      nodes: [...this.#nodes.items.values()],
      pods: [...this.#uses.items.values()],
    };
    return { offers: clusterOffers(input), closed: cordonedNodes(input) };
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

  /** Those of jobs of this server, as far as a watch shows them. */
  get pods(): Iterable<Pod> {
    return this.#ours?.isCurrent ? this.#ours.items.values() : [];
  }

  /**
   * Events that were reported about a pod. They only explain its state, so a user who may not read them
   * loses only the explanations.
   */
  async eventsOf({ metadata: { name, uid } }: Pod): Promise<readonly KubeEvent[]> {
    const known = this.#events?.of(name) ?? (await this.#listEvents(name));
    return known.filter(({ involvedObject }) => involvedObject?.uid === uid);
  }

  async #listEvents(pod: string): Promise<readonly KubeEvent[]> {
    const fieldSelector = `${POD_EVENTS.fieldSelector},involvedObject.name=${pod}`;
    const call = { path: this.path('events'), query: { fieldSelector } };
    try {
      return (await this.client.call<KubeList<KubeEvent>>(call)).items;
    } catch (error) {
      if (error instanceof ApiError && error.status === FORBIDDEN) return [];
      throw error;
    }
  }

  /** Calls `onChange` with the name of each pod of this server that changes. */
  watch(onChange: (pod: string) => void): () => void {
    this.#listeners.add(onChange);
    const { client } = this;
    const report = (pod: string) => {
      for (const listener of this.#listeners) listener(pod);
    };
    this.#ours ??= new Follow<Pod, Pod>({
      ...{ client, path: this.path('pods') },
      query: { labelSelector: this.selector('job') },
      keep: keptPod,
      onChange: (id) => report(id.slice(this.namespace.length + 1)),
    });
    this.#events ??= new PodEvents({
      ...{ client, path: this.path('events'), isOurs: isOurName },
      onNews: report,
    });
    return () => this.#listeners.delete(onChange);
  }

  selector(
    component: 'job' | 'volume' | 'claim' | 'gateway',
    server = this.#options.serverId,
  ): string {
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
