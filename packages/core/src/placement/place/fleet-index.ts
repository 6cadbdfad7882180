/**
 * The instances of a fleet, arranged for placement. A pass changes a few of them; a server keeps the
 * index and advances it by what was written, so that a pass does not look at every record again.
 */

import { isServerHost } from '../../capabilities/capabilities.ts';
import { sameJson } from '../../compare/same.ts';
import { fleetMatcher, isInstanceCreated } from '../../instances/index.ts';
import type { FleetRecord, Id, InstanceRecord, Timestamp } from '../../model/index.ts';
import { likenessOf, PerLikeness } from '../../offers/alike.ts';
import { isUsable } from '../../offers/pool.ts';
import { isInstanceActive, isInstanceAvailable } from '../../status/index.ts';
import { latestIn } from '../../time/past-times.ts';

/** Instances with equal machines in equal states: each job would get the same of each of them. */
export interface AlikeInstances {
  /** Equal for instances that differ in nothing but their blocks in use. */
  readonly kind: string;
  readonly busyBlocks: number;
  /** Whether they could take at least one block. */
  readonly isOpen: boolean;
  /** By number; there is at least one. */
  readonly instances: readonly InstanceRecord[];
}

/** The counts to which the limits of a fleet apply. */
export interface FleetCounts {
  /** Instances that count against `nodes.max`. */
  readonly active: number;
  /** Instances that have a job or are being created for one. */
  readonly occupied: number;
  /** Active ones that have a machine, and that do not. */
  readonly created: number;
  readonly starting: number;
  /** Instances that could take at least one block, and the blocks that are free on them. */
  readonly open: number;
  readonly freeBlocks: number;
}

/** Since the index was made: records as they are now, and the ids of those that were removed. */
export interface InstanceChanges {
  readonly changed: readonly InstanceRecord[];
  readonly removed: readonly Id[];
}

/** A value: advancing it gives another one, and readers of the former one notice nothing. */
export class FleetIndex {
  readonly fleet: FleetRecord;
  /** By number. */
  readonly instances: readonly InstanceRecord[];
  readonly alike: ReadonlyMap<string, AlikeInstances>;
  readonly counts: FleetCounts;
  /** No past time of a record is later. */
  readonly latest: Timestamp;
  /** Whether an instance fits the spec of the fleet: one that does not gets no further jobs. */
  readonly #fits: PerLikeness<boolean>;

  private constructor(fleet: FleetRecord, fits: PerLikeness<boolean>, content: Content) {
    this.fleet = fleet;
    this.#fits = fits;
    this.instances = content.instances;
    this.alike = content.alike;
    this.counts = content.counts;
    this.latest = content.latest;
  }

  /** `instances`: all of the fleet that are not deleted. */
  static of(fleet: FleetRecord, instances: readonly InstanceRecord[]): FleetIndex {
    const fits = new PerLikeness(fleetMatcher(fleet));
    return new FleetIndex(fleet, fits, EMPTY).advanced({ changed: instances, removed: [] });
  }

  advanced({ changed, removed }: InstanceChanges): FleetIndex {
    if (changed.length === 0 && removed.length === 0) return this;
    const draft = new IndexDraft(this, (instance) => this.isOpen(instance));
    for (const id of removed) draft.remove(id);
    for (const instance of changed) draft.put(instance);
    return new FleetIndex(this.fleet, this.#fits, draft.content());
  }

  /** With another version of the record of the fleet. */
  of(fleet: FleetRecord): FleetIndex {
    if (fleet === this.fleet) return this;
    if (!sameJson(fleet.spec, this.fleet.spec)) return FleetIndex.of(fleet, this.instances);
    return new FleetIndex(fleet, this.#fits, this);
  }

  /** Whether the instance could take at least one block, by its record. */
  isOpen(instance: InstanceRecord): boolean {
    return (
      isUsable(instance) &&
      instance.provisioningData !== null &&
      isInstanceAvailable(instance.status) &&
      instance.busyBlocks < (instance.totalBlocks ?? 0) &&
      this.#fits.of(instance)
    );
  }
}

type Content = Pick<FleetIndex, 'instances' | 'alike' | 'counts' | 'latest'>;

const EMPTY: Content = {
  instances: [],
  alike: new Map(),
  counts: { active: 0, occupied: 0, created: 0, starting: 0, open: 0, freeBlocks: 0 },
  latest: Number.NEGATIVE_INFINITY,
};

/**
 * The part of a key that does not change with the blocks in use. An instance is a kind of its own if a
 * look at it depends on more than its machine and status: its machine is not known, something is
 * wrong with it, or it shares its host with others.
 */
export function kindOf(instance: InstanceRecord): string {
  const likeness = likenessOf(instance);
  const isPlain =
    likeness !== null &&
    instance.provisioningData !== null &&
    isUsable(instance) &&
    !isServerHost(instance.backend);
  return isPlain ? `${likeness} ${instance.status}` : ownKind(instance);
}

/** The kind of an instance that is like no other. */
export const ownKind = ({ id }: Pick<InstanceRecord, 'id'>): string => `= ${id}`;

export const alikeKey = (kind: string, busyBlocks: number): string => `${kind} ${busyBlocks}`;

/** Copies what it changes, once. */
class IndexDraft {
  readonly #isOpen: (instance: InstanceRecord) => boolean;
  readonly #instances: InstanceRecord[];
  readonly #alike: Map<string, AlikeInstances>;
  readonly #counts: { -readonly [K in keyof FleetCounts]: number };
  /** Lists that this draft has made. */
  readonly #own = new Map<string, InstanceRecord[]>();
  readonly #before: readonly InstanceRecord[];
  #ids: Set<Id> | null = null;
  #latest: Timestamp;

  constructor(index: Content, isOpen: (instance: InstanceRecord) => boolean) {
    this.#isOpen = isOpen;
    this.#before = index.instances;
    this.#latest = index.latest;
    this.#instances = [...index.instances];
    this.#alike = new Map(index.alike);
    this.#counts = { ...index.counts };
  }

  content(): Content {
    const instances = Object.freeze(this.#instances);
    return { instances, alike: this.#alike, counts: this.#counts, latest: this.#latest };
  }

  put(instance: InstanceRecord): void {
    const at = positionIn(this.#instances, instance);
    const present = this.#instances[at];
    if (present?.id === instance.id) {
      this.#instances[at] = instance;
      this.#leave(present);
    } else {
      // It had another number, if it was there at all.
      this.#ids ??= new Set(this.#before.map(({ id }) => id));
      if (this.#ids.has(instance.id)) this.remove(instance.id);
      this.#instances.splice(positionIn(this.#instances, instance), 0, instance);
    }
    this.#join(instance);
  }

  remove(id: Id): void {
    const at = this.#instances.findIndex((one) => one.id === id);
    const [present] = at < 0 ? [] : this.#instances.splice(at, 1);
    if (present) this.#leave(present);
  }

  #join(instance: InstanceRecord): void {
    this.#latest = Math.max(this.#latest, latestIn(instance));
    const kind = kindOf(instance);
    const key = alikeKey(kind, instance.busyBlocks);
    const list = this.#listOf(key);
    list.splice(positionIn(list, instance), 0, instance);
    const isOpen = this.#isOpen(instance);
    const { busyBlocks } = instance;
    this.#alike.set(key, { kind, busyBlocks, isOpen, instances: list });
    this.#count(instance, isOpen, 1);
  }

  #leave(instance: InstanceRecord): void {
    const key = alikeKey(kindOf(instance), instance.busyBlocks);
    const list = this.#listOf(key);
    list.splice(positionIn(list, instance), 1);
    const known = this.#alike.get(key);
    if (list.length === 0) {
      this.#alike.delete(key);
      this.#own.delete(key);
    } else if (known) this.#alike.set(key, { ...known, instances: list });
    this.#count(instance, this.#isOpen(instance), -1);
  }

  #listOf(key: string): InstanceRecord[] {
    const own = this.#own.get(key);
    if (own) return own;
    const list = [...(this.#alike.get(key)?.instances ?? [])];
    this.#own.set(key, list);
    return list;
  }

  #count(instance: InstanceRecord, isOpen: boolean, by: 1 | -1): void {
    if (isOpen) {
      this.#counts.open += by;
      this.#counts.freeBlocks += by * ((instance.totalBlocks ?? 0) - instance.busyBlocks);
    }
    if (!isInstanceActive(instance.status)) return;
    this.#counts.active += by;
    this.#counts[isInstanceCreated(instance) ? 'created' : 'starting'] += by;
    if (instance.busyBlocks > 0 || instance.provisioningData === null) this.#counts.occupied += by;
  }
}

/** By id where a number is used again while its former holder is still there. */
export function byNumber(a: InstanceRecord, b: InstanceRecord): number {
  return a.instanceNum - b.instanceNum || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/** Where the instance is in a list by number, or would be. */
export function positionIn(list: readonly InstanceRecord[], instance: InstanceRecord): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const one = list[middle];
    if (one && byNumber(one, instance) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
