import type { CloudCatalog, VmType } from '../../capacity.ts';

const GPU_REGIONS = ['US-KS-2', 'EU-RO-1', 'CA-MTL-1'] as const;
const CPU_REGIONS = ['EU-RO-1', 'US-KS-2'] as const;

/** A GPU as the catalogue lists it: prices and sizes are for one of them; a selection. */
export interface ListedGpu {
  readonly id: string;
  readonly name: string;
  readonly manufacturer: 'NVIDIA' | 'AMD' | 'UNKNOWN';
  readonly memory: number;
  readonly price: number;
  readonly maxCount: number;
  /** The part of the host that belongs to one GPU. */
  readonly vcpus: number;
  readonly ramGb: number;
}

export const GPUS: readonly ListedGpu[] = [
  gpu('NVIDIA RTX A5000', 'RTX A5000', 'NVIDIA', 24, 0.27, 8, 9, 48),
  gpu('NVIDIA GeForce RTX 4090', 'RTX 4090', 'NVIDIA', 24, 0.69, 8, 16, 62),
  gpu('NVIDIA H100 80GB HBM3', 'H100 SXM', 'NVIDIA', 80, 2.99, 8, 26, 125),
  gpu('AMD Instinct MI300X OAM', 'MI300X', 'AMD', 192, 2.49, 8, 24, 283),
  gpu('NVIDIA A100-SXM4-80GB', 'A100 SXM', 'NVIDIA', 80, 1.89, 8, 16, 125),
  gpu('unknown', 'unknown', 'UNKNOWN', 0, 0, 0, 1, 1),
];

export interface CpuFlavour {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly min: number;
  readonly max: number;
  readonly ramGbPerVcpu: number;
  readonly pricePerVcpu: number;
}

export const CPUS: readonly CpuFlavour[] = [
  {
    id: 'cpu3c',
    name: 'Compute-Optimized',
    group: 'Gen 3',
    min: 2,
    max: 32,
    ramGbPerVcpu: 2,
    pricePerVcpu: 0.03,
  },
  {
    id: 'cpu3g',
    name: 'General Purpose',
    group: 'Gen 3',
    min: 2,
    max: 32,
    ramGbPerVcpu: 4,
    pricePerVcpu: 0.04,
  },
];

/** Capacity is counted by GPU type and count, or by flavour. */
export const RUNPOD_CATALOG: CloudCatalog = {
  types: [
    ...GPUS.flatMap((one) =>
      Array.from({ length: one.maxCount }, (_, index) => gpuType(one, index + 1)),
    ),
    ...CPUS.flatMap((one) => [2, 4, 8, 16, 32].map((vcpus) => cpuType(one, vcpus))),
  ],
  images: [],
  regions: [
    { name: 'US-KS-2', description: 'US Kansas 2' },
    { name: 'EU-RO-1', description: 'EU Romania 1' },
    { name: 'CA-MTL-1', description: 'CA Montreal 1' },
  ],
};

export function gpuTypeName(id: string, count: number): string {
  return `${count}x ${id}`;
}

export function cpuTypeName(id: string, vcpus: number): string {
  return `${id}-${vcpus}`;
}

function gpuType(one: ListedGpu, count: number): VmType {
  const { memory: memoryGib, vcpus, ramGb, price } = one;
  return {
    ...{
      name: gpuTypeName(one.id, count),
      description: one.name,
      diskGib: 0,
      regions: GPU_REGIONS,
    },
    ...{ vcpus: count * vcpus, memoryGib: count * ramGb, pricePerHour: count * price },
    gpu: { name: one.id, count, memoryGib },
  };
}

function cpuType(one: CpuFlavour, vcpus: number): VmType {
  const memoryGib = vcpus * one.ramGbPerVcpu;
  return {
    ...{ name: cpuTypeName(one.id, vcpus), description: one.name, vcpus, memoryGib, diskGib: 0 },
    ...{ gpu: null, pricePerHour: vcpus * one.pricePerVcpu, regions: CPU_REGIONS },
  };
}

function gpu(
  id: string,
  name: string,
  manufacturer: ListedGpu['manufacturer'],
  memory: number,
  price: number,
  maxCount: number,
  vcpus: number,
  ramGb: number,
): ListedGpu {
  return { id, name, manufacturer, memory, price, maxCount, vcpus, ramGb };
}
