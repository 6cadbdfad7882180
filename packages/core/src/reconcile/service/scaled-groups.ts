/** Groups of a service whose number of replicas depends on requests. */
import type { AutoscalingRule, RunSpec, ServiceConfiguration } from '@dstack/contract/wire';
import type { RunRecord } from '../../model/index.ts';

export interface ScaledGroup {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Null: `rules` decide. */
  readonly scaling: NonNullable<ServiceConfiguration['scaling']> | null;
  /** Rules of the group's `autoscaling`. If there are none, `scaling` decides. */
  readonly rules: readonly AutoscalingRule[];
}

export function scalesByDemand(run: Pick<RunRecord, 'spec'>): boolean {
  return scaledGroups(run.spec).length > 0;
}

/** The group has no replica until there are requests. */
export function sleepsWithoutDemand(run: Pick<RunRecord, 'spec'>, group: string): boolean {
  return scaledGroups(run.spec).some(({ name, min }) => name === group && min === 0);
}

export function scaledGroups({ configuration }: RunSpec): ScaledGroup[] {
  if (configuration.type !== 'service') return [];
  const implicit = { ...configuration, name: '0' };
  return (configuration.groups ?? [implicit]).flatMap((group, index) => {
    const { name, replicas, scaling } = group;
    const rules = group.autoscaling ?? [];
    if ((!scaling && rules.length === 0) || !replicas) return [];
    const bounds = { min: replicas.min ?? 0, max: replicas.max ?? Infinity };
    const named = { name: name ?? String(index), ...bounds, rules };
    return [{ ...named, scaling: rules.length > 0 ? null : scaling }];
  });
}

/** All rules of `autoscaling`, in the order of the groups. */
export function autoscalingRules(run: Pick<RunRecord, 'spec'>): AutoscalingRule[] {
  return scaledGroups(run.spec).flatMap(({ rules }) => rules);
}
