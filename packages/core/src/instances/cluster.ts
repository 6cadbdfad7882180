/**
 * Where the instances of a cloud cluster are created: the first one, the master, decides, and all the
 * others follow it to its backend, region and zone, because they have to reach each other.
 */
import type { BackendName, FleetRecord, InstanceRecord, Offer } from '../model/index.ts';
import { isInstanceActive, isPlaceholder } from '../status/index.ts';
import { nodesOf } from './fleet-match.ts';

/** Where a machine is. */
export interface Site {
  readonly backend: BackendName;
  readonly region: string;
  /** Null = not known, or of no account. */
  readonly zone: string | null;
}

export type ClusterSite =
  /** It may be created anywhere. */
  | { readonly kind: 'free' }
  /** The master is still to be created. */
  | { readonly kind: 'undecided' }
  | { readonly kind: 'fixed'; readonly site: Site };

type Fleet = Pick<FleetRecord, 'spec' | 'masterInstanceId'>;

/** A cluster whose machines are created; the places of SSH hosts are given. */
export function isCloudCluster(fleet: Pick<FleetRecord, 'spec'>): boolean {
  return fleet.spec.configuration.placement === 'cluster' && nodesOf(fleet) !== null;
}

/**
 * The master stays as long as it lives. Then follows the lowest-numbered machine that is there, then
 * one that is planned without a job, then any. Null: the cluster is empty.
 */
export function masterOf(
  fleet: Pick<FleetRecord, 'masterInstanceId'>,
  instances: readonly InstanceRecord[],
): InstanceRecord | null {
  const alive = instances
    .filter((one) => isInstanceActive(one.status))
    .sort((a, b) => a.instanceNum - b.instanceNum);
  const present = alive.find((one) => one.id === fleet.masterInstanceId);
  const made = alive.find(isInstanceCreated);
  const planned = alive.find((one) => !isPlaceholder(one));
  return present ?? made ?? planned ?? alive[0] ?? null;
}

/** Where an instance of the fleet may be created now. `instances`: all of the fleet. */
export function clusterSite(
  fleet: Fleet,
  instances: readonly InstanceRecord[],
  { id }: Pick<InstanceRecord, 'id'>,
): ClusterSite {
  if (!isCloudCluster(fleet)) return { kind: 'free' };
  // Only an elected one decides: two that take themselves for the master would choose two sites.
  const master = instances.find((one) => one.id === fleet.masterInstanceId);
  if (!master || !isInstanceActive(master.status)) return { kind: 'undecided' };
  if (master.id === id) return { kind: 'free' };
  const site = siteOf(master);
  return site === null ? { kind: 'undecided' } : { kind: 'fixed', site };
}

/** The site at which the cluster is; null: no machine of it has been created. */
export function fixedSite(fleet: Fleet, instances: readonly InstanceRecord[]): Site | null {
  const master = isCloudCluster(fleet) ? masterOf(fleet, instances) : null;
  return master && siteOf(master);
}

/** The offers at that site, in their order. An offer that names no zones can be had in any. */
export function offersAt(offers: readonly Offer[], { backend, region, zone }: Site): Offer[] {
  return offers
    .filter((offer) => offer.backend === backend && offer.region === region)
    .filter((offer) => zone === null || !offer.availability_zones?.every((one) => one !== zone))
    .map((offer) => (zone === null ? offer : { ...offer, availability_zones: [zone] }));
}

export const siteText = ({ backend, region, zone }: Site): string =>
  [backend, region, ...(zone === null ? [] : [zone])].join('/');

/** Null: it has no machine yet. */
function siteOf(instance: InstanceRecord): Site | null {
  const { backend, region, provisioningData: data } = instance;
  if (backend === null || data === null) return null;
  return { backend, region, zone: data.availability_zone };
}

export const isInstanceCreated = ({ provisioningData }: InstanceRecord): boolean =>
  provisioningData !== null;

/** What orders of a cluster's instances say: they may have to wait for the master. */
export const untriedIn = (fleet: Pick<FleetRecord, 'spec'>): { readonly untried?: true } =>
  isCloudCluster(fleet) ? { untried: true } : {};
