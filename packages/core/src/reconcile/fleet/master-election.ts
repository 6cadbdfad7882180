/** The instance of a cloud cluster that determines the site of all others. */

import type { Draft } from '../../draft/draft.ts';
import { clusterSite, isCloudCluster, masterOf } from '../../instances/index.ts';
import type { FleetRecord } from '../../model/index.ts';
import { isInstancePending } from '../../status/index.ts';

/** Elects a master if there is none, and releases the orders of instances that waited for it. */
export function electMaster(draft: Draft, fleet: FleetRecord): void {
  if (!isCloudCluster(fleet)) return;
  const instances = draft.instances.all();
  const master = masterOf(fleet, instances);
  const elected = draft.fleets.set(fleet, { masterInstanceId: master?.id ?? null });
  for (const instance of instances) {
    if (!isInstancePending(instance.status)) continue;
    const create = draft.lastIntent('instance.create', instance.id);
    if (create?.state !== 'announced') continue;
    if (clusterSite(elected, instances, instance).kind === 'undecided') continue;
    draft.signal('intent', create.key);
  }
}
