import type { BackendType, Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import { wantedDiskGb } from '../base/wanted-disk.ts';
import type { CatalogItem } from './catalog.ts';

/**
 * A catalogue item as an offer. A disk that is sold separately has the size that `requirements` ask
 * for. The caller sets `availability`: a price list does not contain it.
 */
export function catalogOffer(
  backend: BackendType,
  item: CatalogItem,
  requirements: Requirements,
  availability: Offer['availability'],
  runtime: Offer['instance_runtime'],
): Offer {
  const gpu = {
    vendor: (item.gpuVendor ?? 'nvidia') as 'nvidia',
    name: (item.gpuName ?? '').replace(/^tpu-/, ''),
    memory_mib: Math.round(item.gpuMemoryGb * 1024),
  };
  const diskGb = item.diskGb ?? wantedDiskGb(requirements);
  return {
    backend,
    instance: {
      name: item.instanceName,
      resources: {
        cpus: item.cpus,
        memory_mib: Math.round(item.memoryGb * 1024),
        gpus: Array.from({ length: item.gpuName ? item.gpuCount : 0 }, () => gpu),
        spot: item.spot,
        disk: { size_mib: Math.round(diskGb * 1024) },
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
