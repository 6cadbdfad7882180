/** The slots that existing instances offer to a gang. */

import { isServerHost } from '../../capabilities/capabilities.ts';
import type { FleetRecord, InstanceRecord } from '../../model/index.ts';
import { isSelected, matchInstance, type PoolOffer, type ProjectScope } from '../../offers/pool.ts';
import type { GangRequest, NodeRequest } from '../gang-request.ts';
import { admitsShare } from '../quota/slots.ts';
import type { CapacityLedger } from './capacity-ledger.ts';
import type { AlikeNow } from './fleet-capacity.ts';
import type { ExistingSlot } from './fleet-option.ts';
import { mountsOn } from './mounts.ts';

export type { ExistingSlot };

/** How references to fleets and instances in the request are read. */
export function projectsOf(ledger: CapacityLedger, request: GangRequest): ProjectScope {
  return { projectId: request.run.projectId, projectNames: ledger.snapshot.projectNames };
}

/**
 * Existing instances of the fleet that can take the node now, best first: the cheapest, then the
 * one on which the fewest blocks stay free, so that large gaps are kept for large jobs. `most`: at
 * each site, no more than a gang can need; a fleet may have thousands that are alike.
 */
export function poolSlots(
  ledger: CapacityLedger,
  fleet: FleetRecord,
  node: NodeRequest,
  request: GangRequest,
  most: number = Infinity,
): PoolOffer[] {
  const open: Alike[] = [];
  const isByItself = dependsOnInstance(node, request);
  for (const alike of ledger.alikeIn(fleet.id)) {
    if (!alike.isOpen) continue;
    for (const instance of alike.first(isByItself ? alike.size : 1)) {
      const found = poolOffer(ledger, fleet, instance, node, request);
      if (!found?.available || !admitsShare(ledger, request, fleet, found)) continue;
      const left = (instance.totalBlocks ?? 0) - alike.busyBlocks - found.blocks;
      const rest = isByItself ? null : alike;
      open.push({ price: found.offer.price, left, found, rest });
    }
  }
  return fewest(
    ledger,
    open.sort((a, b) => a.price - b.price || a.left - b.left),
    most,
  );
}

/** Whether a look at an instance depends on which one it is, beside its machine and its state. */
export function dependsOnInstance(node: NodeRequest, { profile }: GangRequest): boolean {
  return node.volumes.length > 0 || Boolean(profile.instances);
}

/** Instances that give the node equal shares. */
interface Alike {
  readonly price: number;
  /** Blocks that stay free. */
  readonly left: number;
  readonly found: PoolOffer;
  /** All of them; null: it is the only one. */
  readonly rest: AlikeNow | null;
}

/** The first ones of each site, in their order: groups that are as good as each other are merged. */
function fewest(ledger: CapacityLedger, sorted: readonly Alike[], most: number): PoolOffer[] {
  // Who may use what is reserved for others leaves the rest to those who may not.
  const isReserved = ({ instance }: PoolOffer) =>
    ledger.reserved.holderOf(instance.id) === null ? 0 : 1;
  const kept: PoolOffer[] = [];
  const counts = new Map<string, number>();
  for (let from = 0; from < sorted.length; ) {
    const first = sorted[from];
    let to = from + 1;
    while (sorted[to]?.price === first?.price && sorted[to]?.left === first?.left) to += 1;
    const equal = sorted.slice(from, to).flatMap((one) => offersOf(one, most));
    equal.sort(
      (a, b) => isReserved(b) - isReserved(a) || a.instance.instanceNum - b.instance.instanceNum,
    );
    for (const one of equal) {
      const site = `${one.offer.backend}/${one.instance.region}`;
      const count = counts.get(site) ?? 0;
      if (count >= most) continue;
      counts.set(site, count + 1);
      kept.push(one);
    }
    from = to;
  }
  return kept;
}

function offersOf({ found, rest }: Alike, most: number): PoolOffer[] {
  if (rest === null) return [found];
  return rest.first(most).map((instance) => ({ ...found, instance }));
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
  const share = ledger.shareFor(instance, node, request);
  const found = matchInstance(instance, ledger.busyFor(instance, request), share, node.needs);
  if (found === null) return null;
  const mounts = mountsOn(ledger, instance, node, request);
  if ('volumes' in mounts) {
    const hasGpus = !found.available || ledger.hasGpusFor(found.offer);
    return hasGpus ? { ...found, volumes: mounts.volumes } : busy(found);
  }
  return mounts.verdict === 'never' ? null : busy(found);
}

/** The same offer while it cannot be taken. */
export function busy(found: PoolOffer): PoolOffer {
  return { ...found, available: false, offer: { ...found.offer, availability: 'busy' } };
}

/**
 * Whether an instance is on the server host and belongs to another project. The server host admits
 * each project separately, so importing a fleet does not admit the importer.
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

/**
 * Gives as many nodes as possible a slot of their own: a maximum matching by augmenting paths, which
 * prefers the earlier slots of a node's list. `slots[n]` are the slots that node `n` could take, best
 * first. No node moves to another slot while one is free, so nodes that are alike get the slots in
 * their order. Returns the slot per node; null where none is left.
 */
export function matchNodes<S>(slots: readonly (readonly S[])[]): (S | null)[] {
  const holder = new Map<S, number>();
  const assign = (node: number, visited: Set<S>): boolean => {
    const free = slots[node]?.find((slot) => !visited.has(slot) && !holder.has(slot));
    if (free !== undefined) {
      holder.set(free, node);
      return true;
    }
    for (const slot of slots[node] ?? []) {
      if (visited.has(slot)) continue;
      visited.add(slot);
      const current = holder.get(slot);
      if (current !== undefined && assign(current, visited)) {
        holder.set(slot, node);
        return true;
      }
    }
    return false;
  };
  for (const node of slots.keys()) assign(node, new Set());
  const result: (S | null)[] = slots.map(() => null);
  for (const [slot, node] of holder) result[node] = slot;
  return result;
}
