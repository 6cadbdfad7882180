/** Which partitions of a cluster have which GPUs: by its configuration, else by what nodes report. */
import { Problem, parseGpu } from '@dstack/contract';
import type { SlurmClusterConfigWithCreds } from '@dstack/contract/wire';
import { type GpuModel, knownGpus } from '../base/known-gpus.ts';
import type { SlurmNode } from './node.ts';

const MIB_PER_GIB = 1024;

/** `isOperators`: the operator of the server has written it; default: a user has. */
export type SlurmClusterConfig = SlurmClusterConfigWithCreds & { readonly isOperators?: boolean };

export interface PartitionMap {
  /** By partition; a partition of two models has none. */
  readonly gpus: ReadonlyMap<string, GpuModel>;
  /** Partitions for jobs without GPUs; null = all that are not for GPUs. */
  readonly cpuPartitions: ReadonlySet<string> | null;
  /** Problems of the configuration, as texts for people. */
  readonly problems: readonly string[];
}

export function partitionMap(cluster: SlurmClusterConfig): PartitionMap {
  const gpus = new Map<string, GpuModel>();
  const problems: string[] = [];
  for (const { gpu: text, partitions } of cluster.gpu_partitions ?? []) {
    const gpu = gpuModel(text);
    if (typeof gpu === 'string') problems.push(gpu);
    else {
      for (const partition of partitions) {
        const other = gpus.get(partition);
        if (other && !isSame(other, gpu)) {
          problems.push(`partition ${partition} has two GPU models: ${other.name} and ${gpu.name}`);
        }
        gpus.set(partition, gpu);
      }
    }
  }
  const { cpu_partitions: cpu } = cluster;
  return { gpus, cpuPartitions: cpu === null ? null : new Set(cpu), problems };
}

/**
 * `[vendor:]name[:memory]`. With all three parts it is taken as written, so that a model that is
 * not in the table can be named; otherwise exactly one known variant must match. A text is the problem.
 */
export function gpuModel(text: string): GpuModel | string {
  const parsed = parseGpu(text);
  if (parsed instanceof Problem) return `gpu_partitions: gpu ${parsed.message}`;
  const { vendor, name: [name = ''] = [], memory } = parsed;
  const memoryMib = memory?.min == null ? undefined : memory.min * MIB_PER_GIB;
  const known = knownGpus({ vendor, name, memoryMib });
  const [only, other] = known;
  if (only && !other) return only;
  if (vendor && memoryMib !== undefined) return { vendor, name, memory_mib: memoryMib };
  return other
    ? `gpu_partitions: ${text} has variants of ${known.map(sizeOf).join(' and ')}: add the memory, as in ${name}:${sizeOf(other)}`
    : `gpu_partitions: ${text} is not a known GPU: write vendor, name and memory, as in nvidia:${name}:80GB`;
}

const sizeOf = ({ memory_mib: mib }: GpuModel): string => `${mib / MIB_PER_GIB}GB`;

const isSame = (a: GpuModel, b: GpuModel): boolean =>
  a.vendor === b.vendor && a.name === b.name && a.memory_mib === b.memory_mib;

/** The GPUs that a job of one partition gets from a node. */
export interface NodeGpus {
  readonly gpu: GpuModel;
  readonly total: number;
  readonly free: number;
}

/**
 * The GPUs of a node, by its mapped partitions, or by the type of its generic resource where that
 * is one known model. Null: it has none that can be named, so no job can ask for them.
 */
export function nodeGpus(node: SlurmNode, map: PartitionMap): NodeGpus | null {
  const total = sum(node.gpus.map((one) => one.total));
  if (total === 0) return null;
  const gpu = mappedGpu(node, map) ?? typedGpu(node);
  return gpu && { gpu, total, free: Math.max(0, total - sum(node.gpus.map((one) => one.used))) };
}

function mappedGpu({ partitions }: SlurmNode, { gpus }: PartitionMap): GpuModel | null {
  const [first, ...others] = partitions.flatMap((name) => gpus.get(name) ?? []);
  return first && others.every((other) => isSame(first, other)) ? first : null;
}

/** Administrators write `h100`, `nvidia_h100`, `a100-sxm4-80gb`. */
function typedGpu({ gpus: [only, ...others] }: SlurmNode): GpuModel | null {
  if (only === undefined || others.length > 0) return null;
  const words = only.type.toLowerCase().split(/[-_]/);
  const [, gib] = /(?:^|[-_])(\d{1,4})gb?$/i.exec(only.type) ?? [];
  const memoryMib = gib === undefined ? undefined : Number(gib) * MIB_PER_GIB;
  const [gpu, ...more] = words.flatMap((name) => knownGpus({ name, memoryMib }));
  return gpu && more.length === 0 ? gpu : null;
}

/** The partitions of a node that jobs with, or without, GPUs may use. */
export function usablePartitions(
  node: SlurmNode,
  { gpus, cpuPartitions }: PartitionMap,
  wantsGpus: boolean,
): readonly string[] {
  if (wantsGpus) {
    // Without a mapping for any of them, each may have the node's GPUs.
    const mapped = node.partitions.filter((name) => gpus.has(name));
    return mapped.length > 0 || gpus.size > 0 ? mapped : node.partitions;
  }
  return node.partitions.filter((name) => cpuPartitions?.has(name) ?? !gpus.has(name));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
