import type { CloudCatalog, CloudRegion, VmType } from '../../capacity.ts';

const REGIONS: readonly CloudRegion[] = [
  { name: 'ewr', description: 'New Jersey' },
  { name: 'ams', description: 'Amsterdam' },
];
const EVERYWHERE = REGIONS.map(({ name }) => name);

/** Plans and prices as Vultr has published them; a selection. */
export const VULTR_CATALOG: CloudCatalog = {
  types: [
    plan('vc2-1c-1gb', [1, 1, 25, 0.007]),
    plan('vc2-2c-4gb', [2, 4, 80, 0.027]),
    plan('vhp-4c-8gb-amd', [4, 8, 180, 0.071]),
    plan('vcg-a16-6c-64g-16vram', [6, 64, 350, 0.471], { name: 'A16', count: 1, memoryGib: 16 }),
    plan('vcg-a16-2c-8g-2vram', [2, 8, 50, 0.059], { name: 'A16', count: 1, memoryGib: 2 }),
    plan('vcg-a100-12c-120g-80vram', [12, 120, 1400, 2.397], {
      ...{ name: 'A100', count: 1, memoryGib: 80 },
    }),
    plan('vbm-6c-32gb', [12, 32, 960, 0.275]),
    plan('vbm-112c-2048gb-8-h100-gpu', [224, 2048, 960, 23.92], {
      ...{ name: 'H100', count: 8, memoryGib: 80 },
    }),
  ],
  images: ['docker', '1743'],
  regions: REGIONS,
};

function plan(
  name: string,
  [vcpus, memoryGib, diskGib, pricePerHour]: readonly [number, number, number, number],
  gpu: VmType['gpu'] = null,
): VmType {
  return {
    ...{ name, description: name, vcpus, memoryGib, diskGib, pricePerHour, gpu },
    regions: EVERYWHERE,
  };
}
