import type { Offer } from '@dstack/core';

interface Type {
  readonly name: string;
  readonly price: number;
  readonly cpus: number;
  readonly memoryGib: number;
  readonly gpus?: number;
}

const TYPES: readonly Type[] = [
  { name: 'sim.small', price: 0.1, cpus: 4, memoryGib: 16 },
  { name: 'sim.large', price: 0.8, cpus: 32, memoryGib: 128 },
  { name: 'sim.h100', price: 3, cpus: 32, memoryGib: 256, gpus: 1 },
  { name: 'sim.8xh100', price: 24, cpus: 192, memoryGib: 2048, gpus: 8 },
];
const REGIONS = ['us-east-1', 'eu-west-1'];
const GPU = { vendor: 'nvidia' as const, name: 'H100', memory_mib: 81_920 };
const DISK_MIB = 512_000;
/** The price of a spot instance as a fraction of the full price. */
const SPOT = 0.4;

/**
 * The price list of a simulated cloud: each type in each region, on demand and as spot instance.
 */
export const SIM_OFFERS: readonly Offer[] = REGIONS.flatMap((region) =>
  TYPES.flatMap((type) => [offerOf(type, region, false), offerOf(type, region, true)]),
);

function offerOf(type: Type, region: string, spot: boolean): Offer {
  const { name, price, cpus, memoryGib, gpus = 0 } = type;
  return {
    // `simBackend` sets the type that it is shown as.
    backend: 'aws',
    region,
    price: spot ? price * SPOT : price,
    instance: {
      name,
      resources: {
        ...{ cpus, memory_mib: memoryGib * 1024, spot, description: '' },
        gpus: Array.from({ length: gpus }, () => GPU),
        disk: { size_mib: DISK_MIB },
        cpu_arch: 'x86',
      },
    },
    backend_data: {},
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}
