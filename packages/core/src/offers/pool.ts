import type { Profile, Requirements } from '@dstack/contract/wire';
import type { FleetRecord, Id, InstanceRecord, Offer } from '../model/index.ts';
import {
  isInstanceActive,
  isInstanceAvailable,
  isInstanceIdle,
} from '../status/instance-status.ts';
import { smallestShare } from './blocks.ts';
import { firstMismatch } from './match.ts';
import { allowsBackend, hasWord, type JobNeeds, unmetNeed } from './needs.ts';

/** An existing instance as an offer: the share of it that a job would get. */
export interface PoolOffer {
  readonly instance: InstanceRecord;
  readonly offer: Offer;
  /** Blocks the job would claim. */
  readonly blocks: number;
  readonly available: boolean;
}

export interface PoolQuery {
  readonly requirements: Requirements;
  readonly profile: Profile;
  readonly needs: JobNeeds;
}

/** Why an instance cannot serve, in a word; `status` covers what is broken or on its way out. */
export type PoolMismatch = { readonly mismatch: string };

/**
 * Whether an instance could serve a job, now or once it is free. `busyBlocks` may differ from the
 * record's while a pass is claiming. An instance that is unreachable, unhealthy, going away or not
 * yet known serves nothing, in fractions neither.
 */
export function matchInstance(
  instance: InstanceRecord,
  busyBlocks: number,
  query: PoolQuery,
): PoolOffer | PoolMismatch {
  const { offer, totalBlocks } = instance;
  if (!offer || totalBlocks === null || !isUsable(instance)) return { mismatch: 'status' };
  const place = unmetPlace(instance, offer, query.profile);
  if (place) return { mismatch: place };
  const unmet = unmetNeed(query.needs, offer);
  if (unmet) return { mismatch: unmet };
  const share = smallestShare(query.requirements, offer, totalBlocks);
  if (!share) return { mismatch: firstMismatch(query.requirements, offer) ?? 'blocks' };
  const available = canTake(instance, busyBlocks, share.blocks, query.needs.multinode);
  const availability = available ? 'idle' : 'busy';
  return { instance, blocks: share.blocks, available, offer: { ...share, availability } };
}

export function isUsable(instance: InstanceRecord): boolean {
  if (instance.unreachable || instance.health === 'failure' || instance.deleted) return false;
  return isInstanceActive(instance.status);
}

/** An instance on its way up is listed as busy: what it was made for will take it. */
export function canTake(
  instance: InstanceRecord,
  busyBlocks: number,
  blocks: number,
  whole: boolean,
): boolean {
  const total = instance.totalBlocks ?? 0;
  if (instance.provisioningData === null) return false;
  if (!isInstanceAvailable(instance.status)) return false;
  if (total === 1 || whole) return busyBlocks === 0 && isInstanceIdle(instance.status);
  return blocks <= total - busyBlocks;
}

function unmetPlace(instance: InstanceRecord, offer: Offer, profile: Profile): string | null {
  const { backends, regions, instance_types: types, availability_zones: zones } = profile;
  if (backends && !allowsBackend(backends, offer)) return 'backends';
  if (regions && !hasWord(regions, instance.region)) return 'regions';
  if (types && !hasWord(types, offer.instance.name)) return 'instance_types';
  const zone = instance.provisioningData?.availability_zone;
  return zones && zone && !hasWord(zones, zone) ? 'availability_zones' : null;
}

type Selector = NonNullable<Profile['instances']>[number];

/** How `project/name` references are read. */
export interface Projects {
  /** The project whose run is placed: a bare name means its own fleet. */
  readonly projectId: Id;
  readonly projectName: string;
  readonly projectNames: Readonly<Record<Id, string>>;
}

/** Whether one of the run's `instances` selectors means this instance. */
export function isSelected(
  selectors: readonly Selector[],
  instance: InstanceRecord,
  fleet: FleetRecord,
  projects: Projects,
): boolean {
  return selectors.some((selector) => {
    if ('hostname' in selector) {
      const { hostname, internal_ip: internal } = instance.provisioningData ?? {};
      return selector.hostname === hostname || selector.hostname === internal;
    }
    if ('fleet' in selector) {
      const sameNumber = selector.instance === instance.instanceNum;
      return sameNumber && refersTo(selector.fleet, fleet, projects);
    }
    return selector.name === instance.name;
  });
}

type FleetReference = string | { readonly project?: string | null; readonly name: string };

/** A bare name is a fleet of the run's own project, `project/name` one of that project. */
export function refersTo(
  reference: FleetReference,
  fleet: FleetRecord,
  projects: Projects,
): boolean {
  const { project, name } = parseReference(reference);
  if (name !== fleet.name) return false;
  if (project === null) return fleet.projectId === projects.projectId;
  const owner =
    fleet.projectId === projects.projectId
      ? projects.projectName
      : projects.projectNames[fleet.projectId];
  return project.toLowerCase() === owner?.toLowerCase();
}

export function referenceText(reference: FleetReference): string {
  const { project, name } = parseReference(reference);
  return project ? `${project}/${name}` : name;
}

function parseReference(reference: FleetReference): { project: string | null; name: string } {
  if (typeof reference !== 'string') {
    return { project: reference.project ?? null, name: reference.name };
  }
  const slash = reference.indexOf('/');
  if (slash < 0) return { project: null, name: reference };
  return { project: reference.slice(0, slash), name: reference.slice(slash + 1) };
}
