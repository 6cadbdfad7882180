import type { CloudCatalog, VmType } from '../../capacity.ts';

const REGIONS = ['us-east1-a', 'eu-iceland1-a'];

/** Types as Crusoe has published them, with the prices of its page; a selection. The description is the GPU's type. */
export const CRUSOE_CATALOG: CloudCatalog = {
  types: [
    type('s1a.20x', '', [20, 160, 960, 1.8]),
    type('c1a.4x', '', [4, 16, 0, 0.16]),
    type('l40s-48gb.1x', 'L40S-48GB', [8, 147, 0, 1], { name: 'L40S', count: 1, memoryGib: 48 }),
    type('a100-80gb.2x', 'A100-PCIe-80GB', [24, 240, 1920, 3.3], {
      ...{ name: 'A100', count: 2, memoryGib: 80 },
    }),
    type('h100-80gb-sxm-ib.8x', 'H100-SXM-80GB', [176, 960, 7680, 31.2], {
      ...{ name: 'H100', count: 8, memoryGib: 80 },
    }),
    type('mi300x-192gb-ib.8x', 'MI300X-192GB', [224, 2048, 7680, 27.6], {
      ...{ name: 'MI300X', count: 8, memoryGib: 192 },
    }),
  ],
  images: [
    ...['ubuntu22.04-nvidia-pcie-docker:latest', 'ubuntu22.04-nvidia-sxm-docker:latest'],
    'ubuntu-rocm:latest',
  ],
  regions: REGIONS.map((name) => ({ name, description: name })),
};

function type(
  name: string,
  description: string,
  [vcpus, memoryGib, diskGib, pricePerHour]: readonly [number, number, number, number],
  gpu: VmType['gpu'] = null,
): VmType {
  const size = { vcpus, memoryGib, diskGib, pricePerHour };
  return { name, description, ...size, gpu, regions: REGIONS };
}
