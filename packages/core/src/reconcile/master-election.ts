/** The instance of a cloud cluster that determines the site of all the others. */

import type { Draft } from '../draft/draft.ts';
import type { FleetRecord, InstanceRecord } from '../model/index.ts';
import { isInstanceActive, isPlaceholder } from '../status/index.ts';

/**
 * The master stays while it is active. Its successor is the machine with the lowest number, else an
 * instance planned without a job, else any.
 */
export function electMaster(draft: Draft, fleet: FleetRecord): void {
  if (fleet.spec.configuration.placement !== 'cluster') return;
  const alive = draft.instances
    .all()
    .filter((one) => isInstanceActive(one.status))
    .sort((a, b) => a.instanceNum - b.instanceNum);
  const present = alive.find((one) => one.id === fleet.masterInstanceId);
  const made = alive.find((one) => one.provisioningData !== null);
  const planned = alive.find((one: InstanceRecord) => !isPlaceholder(one));
  const master = present ?? made ?? planned ?? alive[0] ?? null;
  draft.fleets.set(fleet, { masterInstanceId: master?.id ?? null });
}
