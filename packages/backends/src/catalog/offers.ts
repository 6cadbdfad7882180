import type { BackendType } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { CatalogItem } from './catalog.ts';

/** Disk that an offer promises when the provider sells it separately (the wire's default, MiB). */
const DEFAULT_DISK_MIB = 102400;

/**
 * A catalogue item as an offer. `availability` is the caller's: a price list does not know whether
 * a machine can be had.
 */
export function catalogOffer(
  backend: BackendType,
  item: CatalogItem,
  availability: Offer['availability'],
  runtime: Offer['instance_runtime'],
): Offer {
  const gpu = {
    vendor: (item.gpuVendor ?? 'nvidia') as 'nvidia',
    name: (item.gpuName ?? '').replace(/^tpu-/, ''),
    memory_mib: Math.round(item.gpuMemoryGb * 1024),
  };
  return {
    backend,
    instance: {
      name: item.instanceName,
      resources: {
        cpus: item.cpus,
        memory_mib: Math.round(item.memoryGb * 1024),
        gpus: Array.from({ length: item.gpuName ? item.gpuCount : 0 }, () => gpu),
        spot: item.spot,
        disk: {
          size_mib: item.diskGb === null ? DEFAULT_DISK_MIB : Math.round(item.diskGb * 1024),
        },
        cpu_arch: item.cpuArch,
        description: '',
      },
    },
    region: item.location,
    price: item.price,
    backend_data: { ...item.providerData },
    availability,
    availability_zones: null,
    instance_runtime: runtime,
    blocks: 1,
    total_blocks: 1,
  };
}
