/** Where clients reach a gateway. */
import type { KubeEvent, KubeList, KubeNode, KubeObject } from '../api/objects.ts';
import type { Cluster } from '../cluster.ts';
import type { ServiceKind } from './gateway-objects.ts';

export interface GatewayEntry {
  readonly kind: ServiceKind;
  /** Name of the Service and of the Ingress. */
  readonly name: string;
  /** The address that the configuration sets; null = it sets none. */
  readonly address: string | null;
}

/** `pending`: for people. */
export type GatewayAddress = { readonly address: string } | { readonly pending: string };

interface Balanced extends KubeObject {
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
    };
  };
}

export const ingressPath = ({ namespace }: Cluster, name?: string): string =>
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses${name === undefined ? '' : `/${name}`}`;

export async function gatewayAddress(
  cluster: Cluster,
  entry: GatewayEntry,
): Promise<GatewayAddress> {
  if (entry.address !== null) return { address: entry.address };
  if (entry.kind === 'NodePort') return await nodeAddress(cluster);
  const { kind, name } = entry;
  const isIngress = kind === 'Ingress';
  const path = isIngress ? ingressPath(cluster, name) : cluster.path('services', name);
  const found = await cluster.client.find<Balanced>({ path });
  const [first] = found?.status?.loadBalancer?.ingress ?? [];
  const address = first?.hostname ?? first?.ip;
  if (address !== undefined) return { address };
  return { pending: await waitingText(cluster, isIngress ? 'Ingress' : 'Service', name) };
}

async function waitingText(cluster: Cluster, kind: 'Service' | 'Ingress', name: string) {
  const last = (await eventsAbout(cluster, kind, name)).at(-1);
  const why = last === undefined ? '' : ` (${last.reason ?? kind}: ${last.message ?? ''})`;
  return kind === 'Service'
    ? `the cluster has given Service ${name} no address yet${why}: it may be making a load balancer. A cluster that has none needs \`service: NodePort\` or \`Ingress\` in \`backend_settings.kubernetes\``
    : `no controller has given Ingress ${name} an address yet${why}: check \`ingress_class\`, or name the controller's address by \`address\` in \`backend_settings.kubernetes\``;
}

/** Oldest first. They only explain, so errors are no reason to fail. */
export async function eventsAbout(
  cluster: Cluster,
  kind: string,
  name: string,
): Promise<KubeEvent[]> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const call = { path: cluster.path('events'), query: { fieldSelector } };
  const { items } = await cluster.client
    .call<KubeList<KubeEvent>>(call)
    .catch((): KubeList<KubeEvent> => ({ metadata: {}, items: [] }));
  return [...items].sort((a, b) => timeOf(a) - timeOf(b));
}

const timeOf = ({ lastTimestamp, eventTime }: KubeEvent): number =>
  Date.parse(lastTimestamp ?? eventTime ?? '') || 0;

interface AddressedNode extends KubeNode {
  readonly status?: KubeNode['status'] & {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
  };
}

/**
 * The public address of the first ready node that has one, else the internal address of the first ready
 * node.
 */
async function nodeAddress(cluster: Cluster): Promise<GatewayAddress> {
  const { items } = await cluster.client.call<KubeList<AddressedNode>>({ path: '/api/v1/nodes' });
  const ready = items.filter(({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  );
  const all = ready.flatMap(({ status }) => status?.addresses ?? []);
  const found =
    all.find(({ type }) => type === 'ExternalIP') ?? all.find(({ type }) => type === 'InternalIP');
  return found ? { address: found.address } : { pending: 'no node of the cluster is ready' };
}
