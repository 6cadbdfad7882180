/** Volumes on the hosts of a fleet: a host must not take their data with it. */
import { ruleError } from '@dstack/contract/api';
import type { Id, InstanceRecord, VolumeRecord } from '@dstack/core';
import type { HttpDeps } from '../ports.ts';

/** The volumes on the hosts of a fleet. */
export interface HeldVolumes {
  /** Throws if these instances leave the fleet with data of volumes. */
  checkLeaving(fleetName: string, instances: readonly InstanceRecord[]): void;
  checkAll(fleetName: string): void;
}

/**
 * A volume that is being deleted does not hold back an unreachable host, which may never be
 * reachable again.
 */
export async function heldVolumesOf(deps: HttpDeps, fleetId: Id): Promise<HeldVolumes> {
  const volumes = await deps.store.volumes.onFleet(fleetId);
  const reachable = new Set<string>();
  for (const { hostId, toBeDeleted } of volumes) {
    if (!toBeDeleted || hostId === null || reachable.has(hostId)) continue;
    if ((await deps.store.hosts.byId(hostId))?.connected) reachable.add(hostId);
  }
  const holds = ({ toBeDeleted, hostId }: VolumeRecord) =>
    !toBeDeleted || reachable.has(hostId ?? '');
  const held = volumes.filter(holds);
  return {
    checkLeaving(fleetName, instances) {
      const hosts = new Set(instances.map((instance) => instance.hostId));
      refuse(
        fleetName,
        held.filter(({ hostId }) => hostId !== null && hosts.has(hostId)),
      );
    },
    checkAll: (fleetName) => refuse(fleetName, held),
  };
}

function refuse(fleetName: string, volumes: readonly VolumeRecord[]): void {
  if (volumes.length === 0) return;
  const names = volumes.map(({ name }) => name).join(', ');
  throw ruleError(
    `Hosts of fleet ${fleetName} hold the data of volumes: ${names}. Delete the volumes first`,
  );
}
