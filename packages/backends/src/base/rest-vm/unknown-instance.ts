import type { Offer } from '@dstack/core';

/** A machine of a type that is in no list of offers. */
export function unknownInstance(name: string): Offer['instance'] {
  const resources = { cpus: 0, memory_mib: 0, gpus: [], spot: false, description: '' };
  return { name, resources: { ...resources, disk: { size_mib: 0 }, cpu_arch: null } };
}
