/** The nodes of a cluster as offers. */
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { NodeFacts, PodUse, Room } from './node-room.ts';
import { left, NOTHING, sum } from './node-room.ts';

/** Taints that a pod tolerates if it requests the accelerator of the node. */
export const TOLERATED_TAINTS: readonly string[] = [
  'nvidia.com/gpu',
  'amd.com/gpu',
  'habana.ai/gaudi',
  'google.com/tpu',
];

/** Key of an offer's `backend_data`: the resource that its pods request for their accelerators. */
export const GPU_RESOURCE = 'gpu_resource';
/** How much of that resource makes one accelerator; omitted: 1. */
export const GPU_UNITS = 'gpu_units';
/** The label that all nodes with this accelerator have, `key=value`. */
export const GPU_LABEL = 'gpu_label';

export interface OfferInput {
  /** Name of the cluster; empty for a backend without contexts. */
  readonly region: string;
  readonly nodes: Iterable<NodeFacts>;
  readonly pods: Iterable<PodUse>;
  readonly requirements: Requirements;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** USD per hour of these parts of a node; 0 = it is not known. */
  readonly priceOf: (resources: Offer['instance']['resources']) => number;
  /** Taints that the settings of the run tolerate, by key. */
  readonly tolerates?: (key: string) => boolean;
}

/** One offer for each node with enough room: the share of it that the job would get. */
export function clusterOffers(input: OfferInput): Offer[] {
  const uses = new Map<string, Room[]>();
  for (const { node, use } of input.pods) uses.set(node, [...(uses.get(node) ?? []), use]);
  const { requirements, matches } = input;
  return [...input.nodes]
    .filter((node) => isOpen(node, input.tolerates ?? (() => false)))
    .flatMap((node) => {
      const taken = sum(uses.get(node.name) ?? []);
      const room = left(node.allocatable, taken);
      const share = shareOf(requirements, offerOf(node, room, input.region));
      const offer = { ...share, price: input.priceOf(share.instance.resources) };
      return matches(requirements, offer) ? [offer] : [];
    });
}

/** Set beside `spec.unschedulable` by Kubernetes itself. */
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Nodes that would be among the offers, if no administrator had cordoned them: `n1 (cordoned)`. */
export function cordonedNodes(input: OfferInput): string[] {
  const opened = [...input.nodes]
    .filter((node) => node.isCordoned)
    .map((node) => ({
      ...node,
      isCordoned: false,
      taints: node.taints.filter(({ key }) => key !== UNSCHEDULABLE),
    }));
  if (opened.length === 0) return [];
  return clusterOffers({ ...input, nodes: opened }).map(
    ({ instance }) => `${instance.name} (cordoned)`,
  );
}

function isOpen(node: NodeFacts, tolerates: (key: string) => boolean): boolean {
  if (!node.isReady || node.isCordoned) return false;
  return node.taints.every(({ key }) => TOLERATED_TAINTS.includes(key) || tolerates(key));
}

function offerOf(node: NodeFacts, room: Room, region: string): Offer {
  const { gpus } = node;
  const free = gpus === null ? 0 : Math.floor((room.gpus[gpus.resource] ?? 0) / gpus.units);
  return {
    backend: 'kubernetes',
    region,
    price: 0,
    instance: {
      name: node.name,
      resources: {
        cpus: Math.floor(room.cpus),
        memory_mib: Math.floor(room.memoryMib),
        gpus: gpus === null ? [] : Array.from({ length: free }, () => gpus.gpu),
        spot: false,
        disk: { size_mib: Math.floor(room.diskMib) },
        cpu_arch: node.arch,
        description: '',
      },
    },
    backend_data:
      gpus === null
        ? {}
        : {
            [GPU_RESOURCE]: gpus.resource,
            ...(gpus.units === 1 ? {} : { [GPU_UNITS]: gpus.units }),
            ...(gpus.label ? { [GPU_LABEL]: `${gpus.label.key}=${gpus.label.value}` } : {}),
          },
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'runner',
    blocks: 1,
    total_blocks: 1,
  };
}

const MIB = 1024;

/** The requested part of a node; a part that the node does not have stays as it is, and fails to match. */
function shareOf({ resources: wanted }: Requirements, offer: Offer): Offer {
  const { resources } = offer.instance;
  const gpus = wanted.gpu ? least(wanted.gpu.count, resources.gpus.length) : 0;
  return {
    ...offer,
    instance: {
      ...offer.instance,
      resources: {
        ...resources,
        cpus: least(wanted.cpu.count, resources.cpus),
        memory_mib: least(wanted.memory, resources.memory_mib, MIB),
        gpus: resources.gpus.slice(0, gpus),
        disk: { size_mib: least(wanted.disk?.size, resources.disk?.size_mib ?? 0, MIB) },
      },
    },
  };
}

type Bounds = Requirements['resources']['cpu']['count'];

/** Whole numbers: official clients refuse fractions, which a request in GB may have. */
function least(asked: Bounds | null | undefined, has: number, scale = 1): number {
  const wanted = asked?.min ?? asked?.max ?? null;
  return wanted === null ? has : Math.min(Math.ceil(wanted * scale), has);
}

export { NOTHING };

export function offerText(data: unknown, key: string): string | null {
  const value = (data as Readonly<Record<string, unknown>> | null)?.[key];
  return typeof value === 'string' ? value : null;
}
