/** Offers of DigitalOcean: its sizes with prices, and the regions in which each can be created now. */
import type { BackendType } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { type GpuModel, knownGpus } from '../base/known-gpus.ts';
import type { Size } from './api.ts';

const MIB_PER_GIB = 1024;

/** Images of DigitalOcean. Those for GPUs have drivers and Docker; the user data brings Docker to others. */
const CPU_IMAGE = 'ubuntu-24-04-x64';
const AMD_IMAGE = 'gpu-amd-base';
const NVIDIA_IMAGE = 'gpu-h100x1-base';
const NVIDIA_NVLINK_IMAGE = 'gpu-h100x8-base';
const NVLINK_GPUS = 8;

/** `regions`: of the configuration; null = all. */
export function dropletOffers(
  backend: BackendType,
  sizes: readonly Size[],
  regions: readonly string[] | null,
): readonly Offer[] {
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  return sizes.flatMap((size): Offer[] => {
    const instance = dropletInstance(size);
    // Without a price it cannot be compared with what a user may spend.
    if (instance === null || !(size.price_hourly > 0)) return [];
    return size.regions
      .filter((region) => wanted === null || wanted.has(region.toLowerCase()))
      .map((region) => ({
        ...{ backend, instance, region, price: size.price_hourly, backend_data: {} },
        availability: size.available ? 'available' : 'not_available',
        ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
      }));
  });
}

/** Null: its GPU is of a kind that is not known. */
export function dropletInstance(size: Size): Offer['instance'] | null {
  const { slug: name, vcpus, memory, gpu_info: info } = size;
  const gpu = info ? gpuOf(info) : null;
  if (info && gpu === null) return null;
  return {
    name,
    resources: {
      ...{ cpus: vcpus, memory_mib: memory, spot: false, description: '', cpu_arch: 'x86' },
      gpus: info && gpu ? Array.from({ length: info.count }, () => gpu) : [],
      disk: { size_mib: diskGib(size) * MIB_PER_GIB },
    },
  };
}

/** All local disks together. */
function diskGib({ disk, disk_info: disks = [] }: Size): number {
  const sum = disks
    .filter(({ type }) => type === 'local')
    .reduce((total, { size }) => total + inGib(size?.amount ?? 0, size?.unit ?? 'gib'), 0);
  return Math.max(disk, sum);
}

const inGib = (amount: number, unit: string): number =>
  /^ti?b$/i.test(unit) ? amount * MIB_PER_GIB : amount;

/** Such as `nvidia_h100`, `nvidia_rtx4000_ada` and `amd_mi300x`. */
function gpuOf({ model, count, vram }: NonNullable<Size['gpu_info']>): GpuModel | null {
  const [vendor = '', ...words] = model.split('_');
  const variants = knownGpus({ vendor, name: words.join('') });
  const all = inGib(vram.amount, vram.unit) * MIB_PER_GIB;
  // The document leaves open whether it is that of one GPU; the names of sizes have that of all.
  const having = (mib: number) => variants.find(({ memory_mib }) => memory_mib === mib);
  return having(all / Math.max(1, count)) ?? having(all) ?? variants[0] ?? null;
}

export function imageFor({ resources: { gpus } }: Offer['instance']): string {
  const [first] = gpus;
  if (first === undefined) return CPU_IMAGE;
  if (first.vendor === 'amd') return AMD_IMAGE;
  return gpus.length >= NVLINK_GPUS ? NVIDIA_NVLINK_IMAGE : NVIDIA_IMAGE;
}
