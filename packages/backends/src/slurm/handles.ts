/** Handles of instances and groups: the name of their batch job, and the number of the node in it. */
import type { InstanceHandle } from '@dstack/core';

export interface NodePlace {
  readonly cluster: string;
  /** Name of the batch job. */
  readonly name: string;
  /** Number of the node within the job, from 0. */
  readonly rank: number;
}

export function handleOf({ name, rank, cluster }: NodePlace): InstanceHandle {
  return { id: rank === 0 ? name : `${name}:${rank}`, data: JSON.stringify({ cluster }) };
}

export function nodePlaceOf({ id, data }: InstanceHandle): NodePlace {
  const [name = '', rank = '0'] = id.split(':');
  const { cluster = '' } = JSON.parse(data ?? '{}') as Partial<NodePlace>;
  return { cluster, name, rank: Number(rank) };
}
