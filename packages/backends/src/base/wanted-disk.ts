import type { Requirements } from '@dstack/contract/wire';

/** If the requirements have none: the default of the wire. */
const DEFAULT_GB = 100;

/** GB of a disk that is sold in any size: the least that is requested, and no more than is allowed. */
export function wantedDiskGb({ resources: { disk } }: Requirements): number {
  const { min, max } = disk?.size ?? {};
  return min ?? Math.min(DEFAULT_GB, max ?? DEFAULT_GB);
}
