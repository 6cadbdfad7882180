import type { CloudCatalog, CloudRegion, VmType } from '../../capacity.ts';

const REGIONS: readonly CloudRegion[] = [
  { name: 'nyc2', description: 'New York 2' },
  { name: 'tor1', description: 'Toronto 1' },
  { name: 'ams3', description: 'Amsterdam 3' },
];
const EVERYWHERE = REGIONS.map(({ name }) => name);
const GPU_REGIONS = ['nyc2', 'tor1'];

/** Sizes and prices as DigitalOcean has published them; a selection. */
export const DIGITALOCEAN_CATALOG: CloudCatalog = {
  types: [
    cpu('s-1vcpu-1gb', 1, 1, 25, 0.00893),
    cpu('s-2vcpu-4gb', 2, 4, 80, 0.03571),
    cpu('s-4vcpu-8gb', 4, 8, 160, 0.07143),
    gpu('gpu-4000adax1-20gb', 'nvidia_rtx4000_ada', 1, 20, [8, 32, 500, 0.76]),
    gpu('gpu-l40sx1-48gb', 'nvidia_l40s', 1, 48, [8, 64, 500, 1.57]),
    gpu('gpu-h100x1-80gb', 'nvidia_h100', 1, 80, [20, 240, 720, 3.39]),
    gpu('gpu-h100x8-640gb', 'nvidia_h100', 8, 640, [160, 1920, 2046, 23.92]),
    gpu('gpu-mi300x1-192gb', 'amd_mi300x', 1, 192, [20, 240, 720, 1.99]),
  ],
  images: ['ubuntu-24-04-x64', 'gpu-amd-base', 'gpu-h100x1-base', 'gpu-h100x8-base'],
  regions: REGIONS,
};

/** AMD Developer Cloud: the same API at another address, with AMD's machines only. */
export const AMDDEVCLOUD_CATALOG: CloudCatalog = {
  types: [
    gpu('gpu-mi300x1-192gb-devcloud', 'amd_mi300x', 1, 192, [20, 240, 720, 1.99]),
    gpu('gpu-mi300x8-1536gb-devcloud', 'amd_mi300x', 8, 1536, [160, 1920, 2046, 15.92]),
  ].map((type) => ({ ...type, regions: ['tor1'] })),
  images: ['gpu-amd-base', 'ubuntu-24-04-x64'],
  regions: REGIONS.filter(({ name }) => name === 'tor1'),
};

function cpu(
  name: string,
  vcpus: number,
  memoryGib: number,
  diskGib: number,
  pricePerHour: number,
): VmType {
  return {
    ...{ name, vcpus, memoryGib, diskGib, pricePerHour },
    ...{ description: 'Basic', gpu: null, regions: EVERYWHERE },
  };
}

/** `vram` is that of all its GPUs, as in the API. */
function gpu(
  name: string,
  model: string,
  count: number,
  vram: number,
  [vcpus, memoryGib, diskGib, pricePerHour]: readonly [number, number, number, number],
): VmType {
  return {
    ...{ name, vcpus, memoryGib, diskGib, pricePerHour },
    description: `${model} GPU - ${count}X`,
    gpu: { name: model, count, memoryGib: vram / count },
    regions: GPU_REGIONS,
  };
}
