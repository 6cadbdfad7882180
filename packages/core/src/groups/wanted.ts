import type { GroupRecord, InstanceRecord } from '../model/index.ts';
import { isInstanceActive, isInstancePending, isInstanceTerminated } from '../status/index.ts';

/**
 * Whether the instance is in the group, or may still be created in it. `instances`: all instances
 * of the fleet that are not deleted.
 */
export function isGroupWanted(group: GroupRecord, instances: readonly InstanceRecord[]): boolean {
  switch (group.kind) {
    case 'placement':
      // A provider refuses to delete a group while machines in it are being terminated.
      return instances.some(
        (one) =>
          !isInstanceTerminated(one.status) && (isInstancePending(one.status) || isAt(group, one)),
      );
    case 'compute':
      return instances.some((one) => one.groupId === group.id && isInstanceActive(one.status));
  }
}

const isAt = (group: GroupRecord, { backend, region }: InstanceRecord): boolean =>
  backend === group.backend && region === group.region;
