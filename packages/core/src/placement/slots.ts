import type { FleetRecord, InstanceRecord, Offer, VolumeRecord } from '../model/index.ts';
import { isServerHost } from '../offers/capabilities.ts';
import type { Combined } from '../offers/combine.ts';
import { isSelected, matchInstance, type PoolOffer, type Projects } from '../offers/pool.ts';
import type { GangRequest, NodeRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';
import { mountsOn } from './mounts.ts';

/** A share of an existing instance. */
export interface ExistingSlot {
  readonly kind: 'existing';
  readonly instance: InstanceRecord;
  readonly blocks: number;
  /** The job's share of the instance. */
  readonly offer: Offer;
  /** One for each mount of a named volume. */
  readonly volumes: readonly VolumeRecord[];
}

/** An instance to be created. */
export interface NewSlot {
  readonly kind: 'new';
  /** To be tried in this order; all divide the machine alike. */
  readonly offers: readonly Offer[];
  /** All that fit, before those not available now were left out. */
  readonly totalOffers: number;
  readonly combined: Combined;
  readonly volumes: readonly VolumeRecord[];
}

/** What one job of a gang gets. */
export type Slot = ExistingSlot | NewSlot;

/** How references to fleets and instances in the request are read. */
export function projectsOf(ledger: CapacityLedger, request: GangRequest): Projects {
  return { projectId: request.run.projectId, projectNames: ledger.snapshot.projectNames };
}

/**
 * Existing instances of the fleet that can take the node now, best first: the cheapest, then the
 * one on which the fewest blocks stay free, so that large gaps are kept for large jobs.
 */
export function poolSlots(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
): PoolOffer[] {
  const found: PoolOffer[] = [];
  for (const instance of ledger.openIn(fleet.id)) {
    const offer = poolOffer(ledger, fleet, instance, node, request);
    if (offer?.available) found.push(offer);
  }
  const free = ({ instance, blocks }: PoolOffer): number =>
    (instance.totalBlocks ?? 0) - ledger.busyBlocks(instance) - blocks;
  return found.sort(
    (a, b) =>
      a.offer.price - b.offer.price ||
      free(a) - free(b) ||
      a.instance.instanceNum - b.instance.instanceNum,
  );
}

/** One instance for one node, now or later; null if it can never serve it. */
export function poolOffer(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  instance: InstanceRecord,
  node: NodeRequest,
  request: GangRequest,
): PoolOffer | null {
  if (isOthersLocal(instance, request)) return null;
  if (!isAllowed(ledger, fleet, instance, request)) return null;
  const found = matchInstance(instance, ledger.busyBlocks(instance), {
    requirements: node.requirements,
    needs: node.needs,
    profile: request.profile,
  });
  if (found === null) return null;
  const mounts = mountsOn(ledger, instance, node, request);
  if ('volumes' in mounts) {
    const hasGpus = !found.available || ledger.hasGpusFor(found.offer);
    return hasGpus ? { ...found, volumes: mounts.volumes } : busy(found);
  }
  return mounts.verdict === 'never' ? null : busy(found);
}

function busy(found: PoolOffer): PoolOffer {
  return { ...found, available: false, offer: { ...found.offer, availability: 'busy' } };
}

/**
 * Whether an instance is on the server's machine and belongs to another project. Projects are admitted
 * to that machine one by one, so importing a fleet does not admit them.
 */
export function isOthersLocal(instance: InstanceRecord, { run }: GangRequest): boolean {
  return isServerHost(instance.backend) && instance.projectId !== run.projectId;
}

/** Whether the run's `instances` select this one, or are not set. */
export function isAllowed(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  instance: InstanceRecord,
  request: GangRequest,
): boolean {
  const selectors = request.profile.instances;
  return !selectors || isSelected(selectors, instance, fleet, projectsOf(ledger, request));
}

export function existingSlot({ instance, blocks, offer, volumes }: PoolOffer): ExistingSlot {
  return { kind: 'existing', instance, blocks, offer, volumes: volumes ?? [] };
}
