/** The place of an instance in the compute group of its gang. */
import type { GroupPlace } from '@dstack/backends';
import { isGroupCreating, isGroupFailed, isGroupReady } from '@dstack/contract/status';
import type { InstanceRecord, IntentResult, Offer } from '@dstack/core';
import type { Store } from '@dstack/store';
import { NotNow } from './not-now.ts';

export type PlaceInGroup =
  | { readonly kind: 'alone' }
  | { readonly kind: 'member'; readonly place: GroupPlace; readonly offer: Offer }
  /** There is no group, so there is no machine. */
  | { readonly kind: 'ended'; readonly result: IntentResult };

/** Throws `NotNow` while the group is being created: its pass signals the orders of its members. */
export async function placeInGroup(
  { groups }: Pick<Store, 'groups'>,
  { id, groupId }: InstanceRecord,
): Promise<PlaceInGroup> {
  if (groupId === null) return { kind: 'alone' };
  const group = (await groups.byId(groupId))?.group;
  if (group && isGroupCreating(group.status)) {
    throw new NotNow('the group of its gang is not created yet', { isSignalled: true });
  }
  if (group && isGroupReady(group.status) && group.handle && group.offer) {
    const { handle, offer, memberIds } = group;
    const place = { handle, rank: memberIds.indexOf(id), size: memberIds.length };
    return { kind: 'member', place, offer };
  }
  const message = group?.statusMessage ?? 'the group of its gang was deleted';
  const isRefused = group !== undefined && isGroupFailed(group.status);
  const result: IntentResult = isRefused
    ? { kind: 'no-capacity', message }
    : { kind: 'refused', reason: 'error', message };
  return { kind: 'ended', result };
}
