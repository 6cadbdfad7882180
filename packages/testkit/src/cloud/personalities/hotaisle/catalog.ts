import type { CloudCatalog, VmType } from '../../capacity.ts';

const PLACE = 'us-michigan-1';
const GIB_DISK = 12_288;

/** Types and prices as Hot Aisle has published them; a selection. */
export const HOTAISLE_CATALOG: CloudCatalog = {
  types: [mi300x(1, 13, 224), mi300x(2, 26, 448), mi300x(4, 52, 896)],
  images: ['ubuntu'],
  regions: [{ name: PLACE, description: 'Michigan' }],
};

function mi300x(count: number, vcpus: number, memoryGib: number): VmType {
  return {
    ...{ name: `${count}x MI300X`, description: `${count} MI300X`, vcpus, memoryGib },
    ...{ diskGib: GIB_DISK, pricePerHour: 1.99 * count, regions: [PLACE] },
    gpu: { name: 'MI300X', count, memoryGib: 192 },
  };
}
