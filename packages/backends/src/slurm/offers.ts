/** The nodes of a cluster as offers: one for each node, of the share that the job would get. */
import type { Requirements } from '@dstack/contract/wire';
import {
  type Offer,
  type PartitionQos,
  SLURM_FEATURES,
  SLURM_PARTITIONS,
  SLURM_QOS,
} from '@dstack/core';
import { closedReason, type SlurmNode } from './node.ts';
import { nodeGpus, type PartitionMap, usablePartitions } from './partitions.ts';

const MIB_PER_GB = 1024;
/** Memory of a job that names none (GB), as in dstack 0.22.5: Slurm would give it the whole node. */
const DEFAULT_MEMORY_GB = 8;
/** Least memory of a batch job: the agent needs some, and 0 would mean all of the node to Slurm. */
const LEAST_MEMORY_MIB = 512;

/** The memory of the batch job for an offer of so much, in MiB. */
export const jobMemory = (offered: number): number => Math.max(offered, LEAST_MEMORY_MIB);

export interface OfferInput {
  /** Name of the cluster. */
  readonly region: string;
  readonly nodes: readonly SlurmNode[];
  readonly map: PartitionMap;
  /** By partition; those without a limit are missing. */
  readonly qos: ReadonlyMap<string, PartitionQos>;
  readonly requirements: Requirements;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
  /** USD per hour of these parts of a node; 0 = it is not known. */
  readonly priceOf: (resources: Offer['instance']['resources']) => number;
}

/** Nodes that start no jobs are left out; those whose resources are in use now are `busy`. */
export function clusterOffers(input: OfferInput): readonly Offer[] {
  return offersOf(
    input.nodes.filter((node) => closedReason(node) === null),
    input,
  );
}

/** Nodes that would be among the offers if they started jobs: `n1 (drained (bad disk))`. */
export function closedNodes(input: OfferInput): readonly string[] {
  const reasons = new Map(input.nodes.map((node) => [node.name, closedReason(node)]));
  const closed = input.nodes.filter((node) => reasons.get(node.name) !== null);
  return offersOf(closed, input).map(({ instance: { name } }) => `${name} (${reasons.get(name)})`);
}

function offersOf(nodes: readonly SlurmNode[], input: OfferInput): readonly Offer[] {
  const { requirements, matches } = input;
  return nodes
    .flatMap((node) => nodeOffer(node, input) ?? [])
    .map((offer) => ({ ...offer, price: input.priceOf(offer.instance.resources) }))
    .filter((offer) => matches(requirements, offer));
}

function nodeOffer(node: SlurmNode, { region, map, qos, requirements }: OfferInput): Offer | null {
  const { resources } = requirements;
  const gpus = nodeGpus(node, map);
  const wantedGpus = resources.gpu?.count.min ?? 0;
  const share = {
    cpus: Math.min(resources.cpu.count.min ?? 1, node.cpus.total),
    memoryMib: Math.min(wantedMemory(resources), node.memoryMib.total),
    gpus: Math.min(wantedGpus, gpus?.total ?? 0),
  };
  const partitions = usablePartitions(node, map, share.gpus > 0);
  if (partitions.length === 0) return null;
  const hasRoom =
    share.cpus <= node.cpus.total - node.cpus.used &&
    jobMemory(share.memoryMib) <= node.memoryMib.total - node.memoryMib.used &&
    share.gpus <= (gpus?.free ?? 0);
  return {
    backend: 'slurm',
    region,
    price: 0,
    instance: {
      name: node.name,
      resources: {
        cpus: share.cpus,
        memory_mib: share.memoryMib,
        gpus: gpus === null ? [] : Array.from({ length: share.gpus }, () => gpus.gpu),
        spot: false,
        // Unknown: a home directory is shared, and local disks are each site's own.
        disk: { size_mib: 0 },
        cpu_arch: node.arch,
        description: '',
      },
    },
    backend_data: {
      [SLURM_PARTITIONS]: node.partitions,
      [SLURM_FEATURES]: node.features,
      [SLURM_QOS]: Object.fromEntries(
        node.partitions.flatMap((name) => {
          const limit = qos.get(name);
          return limit ? [[name, limit]] : [];
        }),
      ),
    },
    availability: hasRoom ? 'available' : 'busy',
    availability_zones: [...partitions],
    instance_runtime: 'runner',
    blocks: 1,
    total_blocks: 1,
  };
}

/** Slurm takes whole MiB only, and official clients too. */
function wantedMemory({ memory }: Requirements['resources']): number {
  const least = jobMemory((memory?.min ?? DEFAULT_MEMORY_GB) * MIB_PER_GB);
  return Math.ceil(Math.min(least, (memory?.max ?? Number.POSITIVE_INFINITY) * MIB_PER_GB));
}
