/** The number of nodes and replicas that a run asks for. */
import type { RunSpec } from '@dstack/contract/wire';

/**
 * Task: all nodes; service: the lowest number over all groups together; development environment:
 * one.
 */
export function nodesRequired(spec: RunSpec): number {
  const { configuration } = spec;
  switch (configuration.type) {
    case 'task':
      return configuration.groups
        ? configuration.groups.reduce((sum, group) => sum + (group.nodes ?? 1), 0)
        : (configuration.nodes ?? 1);
    case 'service':
      return configuration.groups
        ? configuration.groups.reduce((sum, group) => sum + (group.replicas.min ?? 0), 0)
        : (configuration.replicas?.min ?? 1);
    default:
      return 1;
  }
}

/** Names of a service's groups; `"0"` for everything else. */
export function replicaGroups(spec: RunSpec): string[] {
  const { configuration } = spec;
  const groups = configuration.type === 'service' ? configuration.groups : null;
  return groups ? groups.map((group, index) => group.name ?? String(index)) : ['0'];
}

/** The initial number of replicas per group: the lowest number of each range. */
export function initialReplicas(spec: RunSpec): Record<string, number> {
  const { configuration } = spec;
  if (configuration.type !== 'service') return { '0': 1 };
  const { groups } = configuration;
  if (!groups) return { '0': configuration.replicas?.min ?? 1 };
  return Object.fromEntries(
    groups.map((group, index) => [group.name ?? String(index), group.replicas.min ?? 0]),
  );
}
