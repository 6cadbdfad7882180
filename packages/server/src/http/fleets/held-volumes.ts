/** Volumes on the hosts of a fleet: a host must not take their data with it. */
import { ruleError } from '@dstack/contract/api';
import type { FleetSnapshot, FleetVolume, InstanceRecord } from '@dstack/core';

/** Throws if these instances would leave the fleet with data of volumes. */
export function checkLeaving(fleet: FleetSnapshot, instances: readonly InstanceRecord[]): void {
  const hosts = new Set(instances.map((instance) => instance.hostId));
  refuse(
    fleet,
    fleet.volumes.filter(({ volume: { hostId } }) => hostId !== null && hosts.has(hostId)),
  );
}

/** Throws if the fleet would end with data of volumes. */
export function checkEnding(fleet: FleetSnapshot): void {
  refuse(fleet, fleet.volumes);
}

/**
 * A volume that is being deleted does not hold back an unreachable host, which may never be
 * reachable again.
 */
function refuse({ fleet }: FleetSnapshot, volumes: readonly FleetVolume[]): void {
  const held = volumes.filter(({ volume, isReachable }) => !volume.toBeDeleted || isReachable);
  const [first] = held;
  if (!first) return;
  const wanted = held.filter(({ volume }) => !volume.toBeDeleted);
  if (wanted.length > 0) {
    const names = namesOf(wanted);
    throw ruleError(
      `Hosts of fleet ${fleet.name} hold the data of volumes: ${names}. Delete the volumes first`,
    );
  }
  const { statusMessage } = first.volume;
  const why = statusMessage === null ? '' : ` (${first.volume.name}: ${statusMessage})`;
  throw ruleError(
    `Volumes on hosts of fleet ${fleet.name} are still being deleted: ${namesOf(held)}${why}. Try again once they are deleted`,
  );
}

function namesOf(volumes: readonly FleetVolume[]): string {
  return volumes.map(({ volume }) => volume.name).join(', ');
}
