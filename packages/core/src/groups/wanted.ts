import type { GroupRecord, InstanceRecord } from '../model/index.ts';
import { isInstanceActive, isInstancePending, isInstanceTerminated } from '../status/index.ts';

/**
 * Whether an instance of the fleet is in the group, or may still come into it. `instances`: all of the
 * fleet that are not deleted.
 */
export function isGroupWanted(group: GroupRecord, instances: readonly InstanceRecord[]): boolean {
  switch (group.kind) {
    case 'placement':
      // A provider refuses to delete a group as long as machines in it are being ended.
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
