/** Effects of an instance's moves on its fleet: signals, and checks that the fleet is as it was read. */
import type { Draft } from '../draft/draft.ts';
import type { FleetUse, InstanceRecord } from '../model/index.ts';
import { isSshHost } from '../status/index.ts';
import { isCloudCluster } from './cluster.ts';
import { nodesOf } from './fleet-match.ts';

/**
 * An instance of the fleet has got its machine or its agent. A pass of the fleet reads all of its
 * instances, so those of a large fleet that come up one after another wake it only if it may decide
 * something.
 */
export function signalFleet(draft: Draft, { fleetId }: Pick<InstanceRecord, 'fleetId'>): void {
  const use = draft.fleetUse(fleetId);
  if (use === null || isConcerned(use)) draft.signal('fleet', fleetId);
}

function isConcerned({ fleet, active }: FleetUse): boolean {
  const nodes = nodesOf(fleet);
  if (nodes === null) return false;
  // In a cluster the others follow the first machine; attempts are forgotten once all have one; idle
  // instances that `nodes.min` kept may end.
  return isCloudCluster(fleet) || fleet.consolidationAttempt > 0 || active > nodes.min;
}

/**
 * The instance becomes idle because its fleet, as it was read, still wants it. An update of the fleet
 * that is written first would not find it idle, and so would leave it.
 */
export function relyOnFleet(
  draft: Draft,
  { fleetId, backend }: Pick<InstanceRecord, 'fleetId' | 'backend'>,
): void {
  // Those are always kept.
  if (isSshHost(backend)) return;
  const use = draft.fleetUse(fleetId);
  if (use !== null) draft.checkFleet(use.fleet);
}
