import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';

/** If the requirements have none: the default of the wire. */
const DEFAULT_GB = 100;

/** GB of a disk that is sold in any size: the least that is requested, and no more than is allowed. */
export function wantedDiskGb({ resources: { disk } }: Requirements): number {
  const { min, max } = disk?.size ?? {};
  return min ?? Math.min(DEFAULT_GB, max ?? DEFAULT_GB);
}

const MIB_PER_GIB = 1024;

/** The offer with the disk that is asked for; null = none of this size is sold. `sold`: sizes in GB. */
export function withDisk(
  offer: Offer,
  requirements: Requirements,
  sold: { readonly least: number; readonly most: number },
): Offer | null {
  const gb = Math.max(sold.least, wantedDiskGb(requirements));
  const most = requirements.resources.disk?.size.max ?? sold.most;
  if (gb > Math.min(sold.most, most)) return null;
  const { instance } = offer;
  const disk = { size_mib: Math.round(gb * MIB_PER_GIB) };
  return { ...offer, instance: { ...instance, resources: { ...instance.resources, disk } } };
}
