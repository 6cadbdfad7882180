/** Offers of Lambda: its own list has prices, sizes and the regions that have capacity now. */
import type { Offer } from '@dstack/core';
import { knownGpus } from '../base/known-gpus.ts';
import type { LambdaType, LambdaTypeItem } from './api.ts';

const MIB_PER_GIB = 1024;
const CENTS = 100;

/** The published text: `A100 (40 GB SXM4)`, `Tesla V100 (16 GB)`. */
const GPU = /^(?:Tesla |Quadro )?(.+?) \((\d+) GB/;
/** Types with Arm processors. */
const ARM = /gh200|gb200/i;

/**
 * `regions`: of the configuration; null = all. `known`: regions where a type was seen, or is listed in a
 * catalogue: where it has no capacity now, it is shown as not available.
 */
export function lambdaOffers(
  items: readonly LambdaTypeItem[],
  { regions, known }: { readonly regions: readonly string[] | null; readonly known: KnownRegions },
): readonly Offer[] {
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  return items.flatMap(({ instance_type: type, regions_with_capacity_available: open }) => {
    const available = new Set(open.map(({ name }) => name));
    const instance = lambdaInstance(type);
    if (instance === null) return [];
    return [...new Set([...available, ...known(type.name)])]
      .filter((region) => wanted === null || wanted.has(region.toLowerCase()))
      .map((region) => offerOf(type, instance, region, available.has(region)));
  });
}

export type KnownRegions = (type: string) => readonly string[];

function offerOf(
  type: LambdaType,
  instance: Offer['instance'],
  region: string,
  isAvailable: boolean,
): Offer {
  return {
    ...{ backend: 'lambda', instance, region, price: priceOf(type), backend_data: {} },
    availability: isAvailable ? 'available' : 'not_available',
    ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
  };
}

/** USD per hour. */
export const priceOf = (type: LambdaType): number => type.price_cents_per_hour / CENTS;

/** Null: its GPU is of a kind that is not known. */
export function lambdaInstance({ name, specs, ...type }: LambdaType): Offer['instance'] | null {
  const count = specs.gpus ?? 0;
  const gpu = count === 0 ? null : gpuOf(type.gpu_description ?? '');
  if (count > 0 && gpu === null) return null;
  return {
    name,
    resources: {
      cpus: specs.vcpus,
      memory_mib: specs.memory_gib * MIB_PER_GIB,
      gpus: gpu === null ? [] : Array.from({ length: count }, () => gpu),
      spot: false,
      disk: { size_mib: specs.storage_gib * MIB_PER_GIB },
      cpu_arch: ARM.test(name) ? 'arm' : 'x86',
      description: '',
    },
  };
}

function gpuOf(description: string): Offer['instance']['resources']['gpus'][number] | null {
  const [, title = '', gib = ''] = GPU.exec(description) ?? [];
  const name = title.replaceAll(' ', '');
  const [model] = knownGpus({ vendor: 'nvidia', name });
  if (name === '' || model === undefined) return null;
  return { ...model, memory_mib: Number(gib) * MIB_PER_GIB };
}
