import type { Finding, Profile } from '@dstack/contract/wire';
import { configuredBackendName } from '../capabilities/capabilities.ts';
import type { FleetRecord, Id, InstanceRecord, Offer, VolumeRecord } from '../model/index.ts';
import {
  hasHostFault,
  isCordoned,
  isFailing,
  isInstanceActive,
  isInstanceAvailable,
  isInstanceIdle,
} from '../status/index.ts';
import { smallestShare } from './blocks.ts';
import { finding, type OfferQuery, offerFindings, placeFindings } from './findings.ts';
import {
  allowsBackend,
  includesIgnoringCase,
  type Location,
  unmetLocation,
  unmetNeed,
} from './needs.ts';

/** An existing instance as an offer: the share of it that a job would get. */
export interface PoolOffer {
  readonly instance: InstanceRecord;
  readonly offer: Offer;
  /** Blocks that the job would claim. */
  readonly blocks: number;
  readonly available: boolean;
  /** Placement adds the volumes that the job would mount. */
  readonly volumes?: readonly VolumeRecord[];
}

/** The share of a machine that a job would get, while it is free and while it is not. */
export interface ShareMatch {
  readonly blocks: number;
  readonly idle: Offer;
  readonly busy: Offer;
}

/** Null: the machine can never serve the job, or is not known yet. The same for equal machines. */
export function shareOfInstance(instance: InstanceRecord, query: OfferQuery): ShareMatch | null {
  const { offer, totalBlocks } = instance;
  if (!offer || totalBlocks === null) return null;
  const { location, at } = placeOf(instance, offer, query.profile);
  if (unmetLocation(location, at) !== null || unmetNeed(query.needs, offer) !== null) return null;
  const share = smallestShare(query.requirements, offer, totalBlocks);
  if (!share) return null;
  const own = { ...share, instance: { ...share.instance, name: nameOf(instance, offer) } };
  return {
    blocks: share.blocks,
    idle: { ...own, availability: 'idle' },
    busy: { ...own, availability: 'busy' },
  };
}

/**
 * The share of an instance that a job would get, now or once it is free; null if it can never serve
 * the job. `busyBlocks` may differ from the record's while a pass claims blocks. An instance that
 * is unreachable, unhealthy, cordoned, ending or not yet known serves no job, not even on a share.
 */
export function matchInstance(
  instance: InstanceRecord,
  busyBlocks: number,
  share: ShareMatch | null,
  needs: Pick<OfferQuery['needs'], 'multinode'>,
): PoolOffer | null {
  if (share === null || !isUsable(instance)) return null;
  const available = canTake(instance, busyBlocks, share.blocks, needs.multinode);
  const offer = available ? share.idle : share.busy;
  return { instance, blocks: share.blocks, available, offer };
}

/** The engine of a cluster may have placed it on another node than the offered one. */
const nameOf = ({ provisioningData }: InstanceRecord, offer: Offer): string =>
  provisioningData?.instance_type.name ?? offer.instance.name;

/**
 * Every rule by which an instance can never serve a job; empty if it can, or if its machine is not
 * known yet.
 */
export function instanceFindings(instance: InstanceRecord, query: OfferQuery): Finding[] {
  const { offer, totalBlocks } = instance;
  if (offer === null) return unknownFindings(instance, query.profile);
  const { location, at } = placeOf(instance, offer, query.profile);
  const placed = { ...query, profile: location };
  if (totalBlocks === null) return offerFindings(placed, at);
  // A share may be small enough although the whole machine is too large.
  if (smallestShare(query.requirements, offer, totalBlocks)) return placeFindings(placed, at);
  const findings = offerFindings(placed, at);
  return findings.length > 0 ? findings : [finding('blocks')];
}

/** If only the location of a host is known, only rules about locations can exclude it. */
function unknownFindings({ backend, region }: InstanceRecord, profile: Location): Finding[] {
  const { backends, regions } = profile;
  if (backend === null) return [];
  const unmet: Finding[] = [];
  if (backends && !allowsBackend(backends, { backend })) {
    const has = configuredBackendName(backend);
    unmet.push(finding('backends', { asked: backends.join(', '), has }));
  }
  if (regions && region !== '' && !includesIgnoringCase(regions, region)) {
    unmet.push(finding('regions', { asked: regions.join(', '), has: region }));
  }
  return unmet;
}

/** The actual location of the instance; an unknown zone fails no rule. */
function placeOf(
  instance: InstanceRecord,
  offer: Offer,
  profile: Location,
): { readonly location: Location; readonly at: Offer } {
  const zone = instance.provisioningData?.availability_zone ?? null;
  if (zone === null && instance.region === offer.region && !profile.availability_zones) {
    return { location: profile, at: offer };
  }
  return {
    location: zone === null ? { ...profile, availability_zones: null } : profile,
    at: { ...offer, region: instance.region, availability_zones: zone === null ? null : [zone] },
  };
}

export function isUsable(instance: InstanceRecord): boolean {
  if (instance.unreachable || isFailing(instance.health) || instance.deleted) return false;
  if (hasHostFault(instance) || isCordoned(instance)) return false;
  return isInstanceActive(instance.status);
}

/** An instance that is starting is listed as busy: the job it was created for will use it. */
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

type Selector = NonNullable<Profile['instances']>[number];

/** How references of the form `project/name` are read. */
export interface ProjectScope {
  /**
   * The project of the run that is placed: a name without a project means a fleet of this project.
   */
  readonly projectId: Id;
  readonly projectNames: Readonly<Record<Id, string>>;
}

/** Whether one of the run's `instances` selectors selects this instance. */
export function isSelected(
  selectors: readonly Selector[],
  instance: InstanceRecord,
  fleet: FleetRecord,
  projects: ProjectScope,
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

/**
 * A name without a project is a fleet of the run's own project, `project/name` one of that project.
 */
export function refersTo(
  reference: FleetReference,
  fleet: FleetRecord,
  projects: ProjectScope,
): boolean {
  const { project, name } = parseReference(reference);
  if (name !== fleet.name) return false;
  if (project === null) return fleet.projectId === projects.projectId;
  return project.toLowerCase() === projects.projectNames[fleet.projectId]?.toLowerCase();
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
