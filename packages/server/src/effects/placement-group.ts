import { type Backend, SkipOfferError } from '@dstack/backends';
import {
  type InstanceRecord,
  type IntentRecord,
  isCloudCluster,
  type Offer,
  placementGroupAt,
  requestPlacementGroup,
  type Timestamp,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import { NotNow } from './not-now.ts';

export interface PlacementGroupOptions {
  readonly store: Pick<Store, 'engine'>;
  readonly now: () => Timestamp;
  readonly newId: () => string;
}

/**
 * The name of the placement group that an instance of a cluster is created in; null = it needs
 * none. The order of the master creates the group and waits for it: the pass of the group signals
 * the order.
 */
export async function placementGroupOf(
  { store, now, newId }: PlacementGroupOptions,
  { createdAt }: Pick<IntentRecord, 'createdAt'>,
  { id, fleetId }: InstanceRecord,
  { offer, backend }: { readonly offer: Offer; readonly backend: Backend },
): Promise<string | null> {
  if (!backend.groups || !backend.capabilities.placementGroups) return null;
  const snapshot = await store.engine.loadFleet(fleetId);
  if (!snapshot || !isCloudCluster(snapshot.fleet)) return null;
  const state = placementGroupAt(snapshot.groups, offer, createdAt);
  switch (state.kind) {
    case 'ready':
      return state.name;
    case 'failed':
      throw new SkipOfferError(`no placement group: ${state.message}`);
    case 'creating':
      throw new NotNow('the placement group is not created yet', { isSignalled: true });
    case 'none': {
      // The other instances find the master's group, or were planned before groups existed.
      if (snapshot.fleet.masterInstanceId !== id) return null;
      const ctx = { now: now(), newId };
      await store.engine.updateFleet(fleetId, (fleet) =>
        requestPlacementGroup(fleet, offer, createdAt, ctx),
      );
      throw new NotNow('the placement group is not created yet', { isSignalled: true });
    }
  }
}
