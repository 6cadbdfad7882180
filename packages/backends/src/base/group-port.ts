/** The part of the capacity port for groups: machines close to each other, or ordered as one. */
import type { Offer } from '@dstack/core';
import type { ContainerOrder, GroupHandle, OnPreparing } from './instance-port.ts';
import type { OwnerTags } from './owner-tags.ts';

export interface GroupOrder {
  /** Key of the intent. The same key finds the group. */
  readonly key: string;
  readonly name: string;
  readonly kind: 'placement' | 'compute';
  readonly region: string;
  /** The number of machines of a compute group, and their offer; null for a placement group. */
  readonly size: number | null;
  readonly offer: Offer | null;
  readonly owner: OwnerTags;
  /** The container of the first of its jobs, in the form of `InstanceOrder`. */
  readonly container?: ContainerOrder | null;
  readonly onPreparing?: OnPreparing;
}

export interface ListedGroup {
  readonly handle: GroupHandle;
  /** The owner, as far as the provider's tags contain it. */
  readonly owner: OwnerTags;
  /** Key of the order. */
  readonly key: string | null;
}

/**
 * A placement group puts machines that are ordered one by one close to each other. The machines of
 * a compute group are ordered with it: `instances.create` then only finds the machine of a rank.
 */
export interface GroupPort {
  /** Like `InstancePort.create`: begins and returns; the same key finds the group. */
  create(order: GroupOrder): Promise<GroupHandle>;
  /**
   * An unknown group has been deleted. A compute group ends with all of its machines. `in-use`: not
   * yet, because machines are in it or are ending; call it again.
   */
  delete(handle: GroupHandle): Promise<'deleted' | 'in-use'>;
  list(owner: Pick<OwnerTags, 'server'>): Promise<readonly ListedGroup[]>;
}
