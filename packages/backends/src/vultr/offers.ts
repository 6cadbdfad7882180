/** Offers of Vultr: its plans with prices, and the regions in which each can be ordered now. */
import type { Offer } from '@dstack/core';
import { type GpuModel, knownGpus, largestKnownGpu } from '../base/known-gpus.ts';
import { isMetal, type Plan } from './api.ts';

const MIB_PER_GIB = 1024;
/** Types of virtual machines. Others are parts of clusters, or take no orders of one. */
const TYPES: readonly string[] = ['vc2', 'vhf', 'vhp', 'voc', 'vcg'];
/** It can be in no network of its region. */
const WITHOUT_NETWORK = 'vbm-4c-32gb';
/** Bare metal with GPUs names them in its id only; `l40` means L40S, as in dstack 0.22.5. */
const METAL_GPUS: Readonly<Record<string, string>> = {
  ...{ a100: 'A100', h100: 'H100', l40: 'L40S', mi300x: 'MI300X' },
};

/** `regions`: of the configuration; null = all. */
export function vultrOffers(
  plans: readonly Plan[],
  regions: readonly string[] | null,
): readonly Offer[] {
  const wanted = regions && new Set(regions.map((region) => region.toLowerCase()));
  return plans.flatMap((plan): Offer[] => {
    const instance = instanceOfPlan(plan);
    const { hourly_cost: price = 0 } = plan;
    // The free plan would come before all others, and ends when its month does.
    if (instance === null || !(price > 0) || plan.deploy_ondemand === false) return [];
    return [...new Set(plan.locations)]
      .filter((region) => region !== '' && (wanted === null || wanted.has(region.toLowerCase())))
      .map((region) => ({
        ...{ backend: 'vultr', instance, region, price, backend_data: {} },
        ...{ availability: 'available', availability_zones: null, instance_runtime: 'shim' },
        ...{ blocks: 1, total_blocks: 1 },
      }));
  });
}

/** Null: it is of a type that is not ordered, or its GPU is of a kind that is not known. */
export function instanceOfPlan(plan: Plan): Offer['instance'] | null {
  const { id: name, type, ram: memory_mib, disk } = plan;
  const isOrdered = isMetal(name) ? name !== WITHOUT_NETWORK : TYPES.includes(type);
  const cpus = plan.vcpu_count ?? plan.cpu_threads ?? 0;
  const gpus = isMetal(name) ? metalGpus(name) : machineGpus(plan);
  if (!isOrdered || gpus === null || cpus === 0) return null;
  const resources = { cpus, memory_mib, spot: false, description: '' };
  return {
    name,
    resources: {
      ...resources,
      gpus: [...gpus],
      disk: { size_mib: disk * MIB_PER_GIB },
      cpu_arch: 'x86',
    },
  };
}

/** Such as `vbm-112c-2048gb-8-h100-gpu`. */
function metalGpus(id: string): readonly GpuModel[] | null {
  if (!id.endsWith('-gpu')) return [];
  const [, count = '', name = ''] = /-(\d+)-([a-z0-9]+)-gpu$/.exec(id) ?? [];
  const model = METAL_GPUS[name];
  const gpu = model === undefined ? null : knownGpus({ name: model }).at(-1);
  return gpu ? Array.from({ length: Number(count) }, () => gpu) : null;
}

/** A part of a GPU counts as one with less memory. */
function machineGpus({ gpu_type: type, gpu_vram_gb: vram = 0 }: Plan): readonly GpuModel[] | null {
  if (!type) return [];
  const [maker = '', name = ''] = type.split('_');
  const vendor = maker.toLowerCase() === 'amd' ? 'amd' : 'nvidia';
  const gpu = largestKnownGpu(vendor, name);
  if (gpu === null || vram <= 0) return null;
  const count = Math.max(1, Math.floor((vram * MIB_PER_GIB) / gpu.memory_mib));
  const memory_mib = Math.floor((vram * MIB_PER_GIB) / count);
  return Array.from({ length: count }, () => ({ ...gpu, memory_mib }));
}
