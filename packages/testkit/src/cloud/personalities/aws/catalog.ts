import type { CloudCatalog, VmType } from '../../capacity.ts';

const REGIONS = ['us-east-1', 'us-east-2'] as const;
/** Letters of the zones in each region. */
export const ZONES = ['a', 'b', 'c'] as const;

/** Names, sizes and prices on demand as AWS has published them; a selection. */
const TYPES: readonly VmType[] = [
  type('t3.small', 2, 2, 0.0208),
  type('m5.large', 2, 8, 0.096),
  type('m5.xlarge', 4, 16, 0.192),
];

export const AWS_CATALOG: CloudCatalog = {
  types: TYPES,
  images: ['ami-00000000000000001'],
  regions: REGIONS.map((name) => ({ name, description: name })),
};

function type(name: string, vcpus: number, memoryGib: number, pricePerHour: number): VmType {
  return {
    ...{ name, description: name, vcpus, memoryGib, diskGib: 0, gpu: null, pricePerHour },
    regions: REGIONS,
  };
}
