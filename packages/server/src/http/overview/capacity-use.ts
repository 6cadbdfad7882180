/** Sums up what the instances of an overview have, and how much of it jobs use. */
import type { GpuUse, InstanceUse } from '@dstack/contract/wire';
import type { InstanceRecord } from '@dstack/core';

export function instanceUse(instances: readonly InstanceRecord[]): InstanceUse {
  return {
    total: instances.length,
    in_use: instances.filter(({ busyBlocks }) => busyBlocks > 0).length,
    unreachable: instances.filter(({ unreachable }) => unreachable).length,
    price: instances.reduce((sum, { price }) => sum + price, 0),
    unpriced: instances.filter(({ price }) => price === 0).length,
  };
}

/** One row for each kind, the largest number first. */
export function gpuUse(instances: readonly InstanceRecord[]): GpuUse[] {
  const kinds = new Map<string, GpuUse>();
  for (const instance of instances) {
    const gpus = instance.provisioningData?.instance_type.resources.gpus ?? [];
    const used = usedShare(instance);
    const ofInstance = new Map<string, number>();
    for (const { name, memory_mib } of gpus) {
      const kind = `${name} ${memory_mib}`;
      const use = kinds.get(kind) ?? { ...EMPTY, name, memory_mib };
      use.total += 1;
      if (instance.unreachable) use.unreachable += 1;
      kinds.set(kind, use);
      ofInstance.set(kind, (ofInstance.get(kind) ?? 0) + 1);
    }
    for (const [kind, count] of ofInstance) {
      const use = kinds.get(kind);
      if (use !== undefined && !instance.unreachable) use.in_use += Math.ceil(count * used);
    }
  }
  return [...kinds.values()].sort((a, b) => b.total - a.total || a.name.localeCompare(b.name));
}

const EMPTY = { total: 0, in_use: 0, unreachable: 0 };

function usedShare({ busyBlocks, totalBlocks }: InstanceRecord): number {
  return Math.min(1, busyBlocks / Math.max(1, totalBlocks ?? 1));
}
