import { isInstanceProvisioning, isVolumeProvisioning } from '@dstack/contract/status';
import type { InstanceRecord, VolumeRecord } from '@dstack/core';
import type { Scene } from './scene.ts';

/** Instances and volumes whose provider has not made them yet. */
export async function notMadeYet({
  store,
  projects,
}: Pick<Scene, 'store' | 'projects'>): Promise<readonly (InstanceRecord | VolumeRecord)[]> {
  const filter = { projectIds: projects.map(({ id }) => id), onlyActive: true };
  const fleets = await store.fleets.list(filter);
  const volumes = await store.volumes.list(filter);
  return [
    ...fleets
      .flatMap(({ instances }) => instances)
      .filter(({ status }) => isInstanceProvisioning(status)),
    ...volumes.map(({ volume }) => volume).filter(({ status }) => isVolumeProvisioning(status)),
  ];
}
