import type { RunSpec } from '@dstack/contract/wire';
import { initialReplicas, type RunRecord } from '@dstack/core';

/**
 * Desired replicas after an update: the number chosen by scaling is kept within the new bounds; new
 * groups start with their minimum.
 */
export function desiredAfterUpdate(run: RunRecord, spec: RunSpec): Record<string, number> {
  const { configuration } = spec;
  const first = initialReplicas(spec);
  if (configuration.type !== 'service') return first;
  const most = (group: string, i: number): number => {
    const range = configuration.groups?.[i]?.replicas ?? configuration.replicas;
    return range?.max ?? first[group] ?? 1;
  };
  return Object.fromEntries(
    Object.entries(first).map(([group, least], i) => {
      const before = run.desiredReplicas[group] ?? least;
      return [group, Math.min(Math.max(before, least), most(group, i))];
    }),
  );
}
