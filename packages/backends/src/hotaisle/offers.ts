/** Offers of Hot Aisle: types of virtual machines, with prices and how many of them are left. */
import type { Offer } from '@dstack/core';
import { knownGpus } from '../base/known-gpus.ts';
import type { AvailableType, VmSpecs } from './api.ts';

const CENTS = 100;
const MIB = 1024 ** 2;
/** Its only place. The API names none; this is the name in dstack 0.22.5. */
export const REGION = 'us-michigan-1';

/** `hasQuota`: whether the team may have one more machine. */
export function hotAisleOffers(
  types: readonly AvailableType[],
  { regions, hasQuota }: { readonly regions: readonly string[] | null; readonly hasQuota: boolean },
): readonly Offer[] {
  if (regions?.every((one) => one.toLowerCase() !== REGION)) return [];
  return types.flatMap(({ Specs: specs, OnDemandPrice: cents = 0, Quantity: left }): Offer[] => {
    const instance = specs ? vmInstance(specs) : null;
    // Without a price it cannot be compared with what a user may spend.
    if (!specs || instance === null || !(cents > 0)) return [];
    return [
      {
        ...{ backend: 'hotaisle', instance, region: REGION, price: cents / CENTS },
        // As in dstack 0.22.5: the provider takes them back in the order.
        backend_data: { vm_specs: specs },
        availability: left <= 0 ? 'not_available' : hasQuota ? 'available' : 'no_quota',
        ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
      },
    ];
  });
}

/** Null: its GPU is of a kind that is not known. Named as in dstack 0.22.5: `vm-mi300x-1`. */
export function vmInstance(specs: VmSpecs): Offer['instance'] | null {
  const [{ model = '', count } = { count: 0 }] = specs.gpus ?? [];
  const [gpu] = knownGpus({ vendor: 'amd', name: model });
  if (gpu === undefined) return null;
  return {
    name: `vm-${model.toLowerCase()}-${count}`,
    resources: {
      cpus: specs.cpu_cores,
      memory_mib: Math.floor(specs.ram_capacity / MIB),
      gpus: Array.from({ length: count }, () => gpu),
      ...{ spot: false, cpu_arch: 'x86', description: '' },
      disk: { size_mib: Math.floor(specs.disk_capacity / MIB) },
    },
  };
}
