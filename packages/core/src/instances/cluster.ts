/**
 * Where the instances of a cloud cluster are created: the first one, the master, decides, and all the
 * others follow it to its backend, region and zone, because they have to reach each other.
 */
import type { BackendName, FleetRecord, InstanceRecord, Offer } from '../model/index.ts';
import { isInstanceActive, isPlaceholder } from '../status/index.ts';
import { nodesOf } from './fleet-match.ts';

/** The place of a machine. */
export interface Site {
  readonly backend: BackendName;
  readonly region: string;
  /** Null = not known, or irrelevant. */
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
 * The master keeps its role as long as it lives. The next one is the created machine with the
 * lowest number, else a planned one without a job, else any. Null: the cluster is empty.
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

/** Where an instance of the fleet may be created now. `instances`: all instances of the fleet. */
export function clusterSite(
  fleet: Fleet,
  instances: readonly InstanceRecord[],
  { id }: Pick<InstanceRecord, 'id'>,
): ClusterSite {
  if (!isCloudCluster(fleet)) return { kind: 'free' };
  // Only the elected master decides: two masters would choose two sites.
  const master = instances.find((one) => one.id === fleet.masterInstanceId);
  if (!master || !isInstanceActive(master.status)) return { kind: 'undecided' };
  if (master.id === id) return { kind: 'free' };
  const site = siteOf(master);
  return site === null ? { kind: 'undecided' } : { kind: 'fixed', site };
}

/** The site of the cluster; null: none of its machines has been created. */
export function fixedSite(fleet: Fleet, instances: readonly InstanceRecord[]): Site | null {
  const master = isCloudCluster(fleet) ? masterOf(fleet, instances) : null;
  return master && siteOf(master);
}

/** The offers at that site, in their order. An offer without zones is available in all of them. */
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

/** Marks orders of a cluster's instances, which may have to wait for the master. */
export const untriedIn = (fleet: Pick<FleetRecord, 'spec'>): { readonly untried?: true } =>
  isCloudCluster(fleet) ? { untried: true } : {};
