import type { HostGpu } from '@dstack/contract/agent';

/** GPUs that an agent has found when it started. */
export function gpusOf(vendor: HostGpu['vendor'], ids: readonly string[]): HostGpu[] {
  return ids.map((id) => ({ vendor, name: 'X', memory_mib: 1, id }));
}
