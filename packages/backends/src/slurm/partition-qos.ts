/** Which QOS the partitions of a cluster take, as `scontrol show partition --oneliner` prints them. */
import type { PartitionQos } from '@dstack/core';

/** Partitions that take all are left out, and lines that are about none. */
export function parsePartitionQos(output: string): ReadonlyMap<string, PartitionQos> {
  const limits = new Map<string, PartitionQos>();
  for (const line of output.split('\n')) {
    const [, name] = /^PartitionName=(\S+)/.exec(line) ?? [];
    const [, key, list = ''] = / (AllowQos|DenyQos)=(\S+)/i.exec(line) ?? [];
    if (name === undefined || key === undefined || EVERY.has(list)) continue;
    const words = list.toLowerCase().split(',').filter(Boolean);
    limits.set(name, key.toLowerCase() === 'allowqos' ? { allowed: words } : { denied: words });
  }
  return limits;
}

const EVERY = new Set(['ALL', '(null)', 'N/A', '']);
