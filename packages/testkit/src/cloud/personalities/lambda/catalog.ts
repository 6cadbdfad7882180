import type { CloudCatalog, VmType } from '../../capacity.ts';

const REGIONS = ['us-east-1', 'us-west-1', 'us-south-1', 'europe-central-1'] as const;

/** Names, sizes and prices as Lambda has published them; a selection. */
const TYPES: readonly VmType[] = [
  type('cpu_4x_general', null, 1, 4, 16, 100, 0.1),
  type('gpu_1x_a10', { name: 'A10 (24 GB PCIe)', memoryGib: 24 }, 1, 30, 200, 1400, 0.75),
  type('gpu_1x_a6000', { name: 'A6000 (48 GB)', memoryGib: 48 }, 1, 14, 100, 200, 0.8),
  type('gpu_1x_gh200', { name: 'GH200 (96 GB)', memoryGib: 96 }, 1, 64, 432, 4096, 1.49),
  type('gpu_1x_h100_pcie', { name: 'H100 (80 GB PCIe)', memoryGib: 80 }, 1, 26, 200, 1024, 2.49),
  type('gpu_8x_a100', { name: 'A100 (40 GB SXM4)', memoryGib: 40 }, 8, 124, 1800, 6144, 10.32),
  type(
    'gpu_8x_h100_sxm5',
    { name: 'H100 (80 GB SXM5)', memoryGib: 80 },
    8,
    208,
    1800,
    24780,
    23.92,
  ),
];

export const LAMBDA_CATALOG: CloudCatalog = {
  types: TYPES,
  images: ['lambda-stack-24-04'],
  regions: [
    { name: 'us-east-1', description: 'Virginia, USA' },
    { name: 'us-west-1', description: 'California, USA' },
    { name: 'us-south-1', description: 'Texas, USA' },
    { name: 'europe-central-1', description: 'Germany' },
  ],
};

function type(
  name: string,
  gpu: { readonly name: string; readonly memoryGib: number } | null,
  count: number,
  vcpus: number,
  memoryGib: number,
  diskGib: number,
  pricePerHour: number,
): VmType {
  return {
    ...{ name, vcpus, memoryGib, diskGib, pricePerHour, regions: REGIONS },
    description: gpu ? `${count}x ${gpu.name}` : `${vcpus} vCPUs`,
    gpu: gpu && { ...gpu, count },
  };
}
