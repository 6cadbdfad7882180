import type { CloudCatalog, VmType } from '../../capacity.ts';

const REGIONS = ['FIN-01', 'FIN-02', 'ICE-01'];

/** Types as Verda has published them, with prices of 2025; a selection. The description is that of the GPUs. */
export const VERDA_CATALOG: CloudCatalog = {
  types: [
    type('CPU.4V.16G', '', [4, 16, 0.0279]),
    type('CPU.120V.480G', '', [120, 480, 3]),
    type('1V100.6V', '1x Tesla V100 16GB', [6, 23, 0.89], {
      name: 'V100',
      count: 1,
      memoryGib: 16,
    }),
    type('2A6000.20V', '2x RTX A6000 48GB', [20, 120, 1.98], {
      ...{ name: 'A6000', count: 2, memoryGib: 48 },
    }),
    type('1H100.80S.30V', '1x H100 SXM5 80GB', [30, 120, 2.19], {
      ...{ name: 'H100', count: 1, memoryGib: 80 },
    }),
    type('1RX7900.10V', '1x AMD 7900XTX', [10, 60, 0.4], {
      ...{ name: 'RX7900XTX', count: 1, memoryGib: 24 },
    }),
  ],
  images: [
    ...['ubuntu-24.04', 'ubuntu-22.04-cuda-12.0-docker', 'ubuntu-24.04-cuda-12.8-open-docker'],
    ...['ubuntu-24.04-cuda-13.0-open-docker', '2088da25-bb0d-41cc-a191-dccae45d96fd'],
    '2404f580-1300-1111-82b3-f199fb9b701b',
  ],
  regions: REGIONS.map((name) => ({ name, description: name })),
};

function type(
  name: string,
  description: string,
  [vcpus, memoryGib, pricePerHour]: readonly [number, number, number],
  gpu: VmType['gpu'] = null,
): VmType {
  const size = { vcpus, memoryGib, diskGib: 50, pricePerHour };
  return { name, description, ...size, gpu, regions: REGIONS };
}
