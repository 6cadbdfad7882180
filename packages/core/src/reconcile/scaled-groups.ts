/** Groups of a service whose number of replicas depends on requests. */
import type { RunSpec, ServiceConfiguration } from '@dstack/contract/wire';
import type { RunRecord } from '../model/index.ts';

export interface ScaledGroup {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly scaling: NonNullable<ServiceConfiguration['scaling']>;
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
  const implicit = { name: '0', replicas: configuration.replicas, scaling: configuration.scaling };
  return (configuration.groups ?? [implicit]).flatMap(({ name, replicas, scaling }, index) => {
    if (!scaling || !replicas) return [];
    const { min, max } = replicas;
    return [{ name: name ?? String(index), min: min ?? 0, max: max ?? Infinity, scaling }];
  });
}
