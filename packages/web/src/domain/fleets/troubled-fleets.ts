import { isInstanceActive } from '@dstack/contract/status';
import type { Instance } from '@dstack/contract/wire';
import { needsAttention } from './fleet-row.ts';

export interface TroubledFleet {
  readonly project: string;
  /** Null: the instances belong to no fleet. */
  readonly name: string | null;
  readonly instances: readonly Instance[];
}

/** The fleets with hosts that do not answer or whose hardware fails, those with the most first. */
export function troubledFleets(instances: readonly Instance[]): readonly TroubledFleet[] {
  const troubled = instances.filter((one) => isInstanceActive(one.status) && needsAttention(one));
  const fleets = Map.groupBy(
    troubled,
    ({ project_name, fleet_id }) => `${project_name} ${fleet_id}`,
  );
  return [...fleets.values()]
    .flatMap((members) => {
      const [first] = members;
      if (first === undefined) return [];
      return [{ project: first.project_name, name: first.fleet_name, instances: members }];
    })
    .sort((a, b) => b.instances.length - a.instances.length);
}

/** Why a host needs attention. */
export function troubleText({ unreachable, health_status, health_message }: Instance): string {
  if (health_message) return health_message;
  if (unreachable) return 'The host does not answer. Jobs on it may still run.';
  return health_status === 'warning'
    ? 'A check of its hardware warns.'
    : 'A check of its hardware failed.';
}
