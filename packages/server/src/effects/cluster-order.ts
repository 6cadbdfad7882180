/**
 * The site where an instance of a cluster may be created, and whether it has to wait for the
 * master.
 */
import { isInstancePending, isJobFinished } from '@dstack/contract/status';
import {
  clusterSite,
  type InstanceRecord,
  type IntentPayload,
  type Offer,
  offersAt,
  type Site,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import { NotNow } from './not-now.ts';

type Order = Extract<IntentPayload, { kind: 'instance.create' }>;

/**
 * Null: at any site. Throws `NotNow` while the master of the cluster is not created yet: the pass
 * of the fleet signals the order later.
 */
export async function siteOfOrder(
  store: Pick<Store, 'engine'>,
  instance: InstanceRecord,
  { untried }: Order,
): Promise<Site | null> {
  // An earlier attempt may have created the machine, so the same offer is repeated.
  const fleet = untried ? await store.engine.loadFleet(instance.fleetId) : null;
  if (fleet === null) return null;
  const decided = clusterSite(fleet.fleet, fleet.instances, instance);
  switch (decided.kind) {
    case 'free':
      return null;
    case 'fixed':
      return decided.site;
    case 'undecided':
      throw new NotNow('the master of the cluster is not created yet', { isSignalled: true });
  }
}

/**
 * Whether an order can be dropped: no backend has been asked about it, and its instance is no
 * longer needed.
 */
export async function isNeedless(
  store: Pick<Store, 'jobs'>,
  { status, provisioningJobId }: InstanceRecord,
  { untried }: Order,
): Promise<boolean> {
  if (!untried) return false;
  if (!isInstancePending(status)) return true;
  if (provisioningJobId === null) return false;
  const view = await store.jobs.byId(provisioningJobId);
  return view === null || isJobFinished(view.job.status);
}

export const offersOfOrder = (offers: readonly Offer[], site: Site | null): readonly Offer[] =>
  site === null ? offers : offersAt(offers, site);
