/** Offers of Crusoe: its types with the capacity of each location and the quotas of the project. */
import type { Offer } from '@dstack/core';
import { knownGpus } from '../base/known-gpus.ts';
import type { Capacity, ProjectQuota, VmType } from './api.ts';

const MIB_PER_GIB = 1024;

interface KnownGpu {
  readonly name: string;
  readonly memoryGib: number;
  /** US dollars per GPU and hour on demand. */
  readonly price: number;
}

/**
 * The API reports no prices. These are the provider's published ones, as gpuhunt 0.1.34 has them. Types of which it
 * knows none, or only an estimate, are left out.
 */
const GPUS: Readonly<Record<string, KnownGpu>> = {
  'A100-PCIe-40GB': { name: 'A100', memoryGib: 40, price: 1.45 },
  'A100-PCIe-80GB': { name: 'A100', memoryGib: 80, price: 1.65 },
  'A100-SXM-80GB': { name: 'A100', memoryGib: 80, price: 1.95 },
  'H100-SXM-80GB': { name: 'H100', memoryGib: 80, price: 3.9 },
  'H200-SXM-141GB': { name: 'H200', memoryGib: 141, price: 4.29 },
  'L40S-48GB': { name: 'L40S', memoryGib: 48, price: 1 },
  'A40-PCIe-48GB': { name: 'A40', memoryGib: 48, price: 0.9 },
  'MI300X-192GB': { name: 'MI300X', memoryGib: 192, price: 3.45 },
};
/** US dollars per vCPU and hour, of types without GPUs. */
const CPUS: Readonly<Record<string, number>> = { c1a: 0.04, s1a: 0.09 };

export interface CrusoeMarket {
  readonly types: readonly VmType[];
  readonly capacities: readonly Capacity[];
  readonly quotas: readonly ProjectQuota[];
  /** Those that the configuration allows; null = all. */
  readonly regions: readonly string[] | null;
}

export function crusoeOffers({
  types,
  capacities,
  quotas,
  regions,
}: CrusoeMarket): readonly Offer[] {
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  const best = new Map<string, Capacity>();
  for (const one of capacities) {
    if (wanted && !wanted.has(one.location.toLowerCase())) continue;
    const key = `${one.type} ${one.location}`;
    if (one.quantity >= (best.get(key)?.quantity ?? 0)) best.set(key, one);
  }
  const typeOf = new Map(types.map((type) => [type.product_name, type]));
  return [...best.values()].flatMap((capacity): Offer[] => {
    const type = typeOf.get(capacity.type ?? '');
    const instance = type && instanceOf(type);
    const price = type && priceOf(type);
    // A job's image has no room on the boot disk.
    if (!type || !instance || price == null || type.disk_gb <= 0) return [];
    const { location: region, quantity } = capacity;
    const availability = quantity > 0 ? availabilityIn(quotas, type, capacity) : 'not_available';
    return [
      {
        ...{ backend: 'crusoe', instance, region, price, availability },
        backend_data: { disk_gb: type.disk_gb },
        ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
      },
    ];
  });
}

/** Null: its GPU is of a kind that is not known. */
export function instanceOf(type: VmType): Offer['instance'] | null {
  const { product_name: name, num_gpu: count, gpu_type, cpu_cores: cpus } = type;
  const known = GPUS[gpu_type];
  const [gpu] = known
    ? knownGpus({ name: known.name, memoryMib: known.memoryGib * MIB_PER_GIB })
    : [];
  if (count > 0 && gpu === undefined) return null;
  return {
    name,
    resources: {
      ...{ cpus, memory_mib: type.memory_gb * MIB_PER_GIB, spot: false, description: '' },
      gpus: gpu ? Array.from({ length: count }, () => gpu) : [],
      disk: { size_mib: type.disk_gb * MIB_PER_GIB },
      cpu_arch: type.cpu_type === 'arm64' ? 'arm' : 'x86',
    },
  };
}

/** US dollars per hour; null = it is not known. */
export function priceOf({ product_name: name, num_gpu, gpu_type, cpu_cores }: VmType) {
  const each = num_gpu > 0 ? GPUS[gpu_type]?.price : CPUS[name.split('.')[0] ?? ''];
  return each === undefined ? null : Math.round((num_gpu || cpu_cores) * each * 100) / 100;
}

/** The quota that the capacity names, or else that with the name of the family, such as `h100-80gb-sxm-ib`. */
function availabilityIn(
  quotas: readonly ProjectQuota[],
  { product_name: name }: VmType,
  { quota_type: wanted = '', num_slices: slices }: Capacity,
): Offer['availability'] {
  const ofMachines = quotas.filter(({ category = '' }) => category.includes('Instance'));
  const family = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  const quota =
    ofMachines.find(({ type = '' }) => type !== '' && type === wanted) ??
    ofMachines.find(({ programmatic_name: own }) => own === family);
  const left = Number(quota?.available ?? Number.NaN);
  if (Number.isNaN(left)) return 'unknown';
  return left >= (slices || 1) ? 'available' : 'no_quota';
}
