/** Offers for tests. */

import type { CapacityHints, Offer, RunMemory } from '@dstack/core';

/** The server's machine, as its backend offers it. */
export const LOCAL_OFFER: Offer = {
  backend: 'local',
  region: 'local',
  price: 0,
  instance: {
    name: 'local-process',
    resources: {
      cpus: 4,
      memory_mib: 16384,
      gpus: [],
      spot: false,
      disk: { size_mib: 0 },
      cpu_arch: 'x86',
      description: '',
    },
  },
  backend_data: {},
  availability: 'available',
  availability_zones: null,
  instance_runtime: 'runner',
  blocks: 1,
  total_blocks: 1,
};

/** A cloud instance with GPUs. */
export function gpuOffer(
  backend: 'aws' | 'gcp',
  name: string,
  count: number,
  price: number,
): Offer {
  const gpu = { name, memory_mib: 81920, vendor: 'nvidia' as const };
  return {
    ...LOCAL_OFFER,
    backend,
    region: `${backend}-1`,
    price,
    instance_runtime: 'shim',
    instance: {
      name: `${backend}-${name}-${count}`,
      resources: {
        ...LOCAL_OFFER.instance.resources,
        cpus: 64,
        memory_mib: 524288,
        disk: { size_mib: 204800 },
        gpus: Array.from({ length: count }, () => gpu),
      },
    },
  };
}

/** Every backend creates machines and signals its capacity. */
export const NO_HINTS: CapacityHints = { offersOnly: new Set(), hasPolledBackends: false };

/** No job is over its log quota. */
export const NO_MEMORY: RunMemory = { overQuota: new Map() };
