/** The instances of a fleet during a pass: the index as it was read, and what the pass changed. */
import type { Id, InstanceRecord } from '../../model/index.ts';
import { alikeKey, type FleetIndex, kindOf, ownKind, positionIn } from './fleet-index.ts';

/** Instances that are alike at this moment of the pass. */
export interface AlikeNow {
  readonly busyBlocks: number;
  /** Whether they could take at least one block. */
  readonly isOpen: boolean;
  /** How many they are; at least one. */
  readonly size: number;
  /** By number, no more than `most`. */
  first(most: number): InstanceRecord[];
}

/** An instance that the pass has changed. */
interface Moved {
  readonly key: string;
  readonly busyBlocks: number;
  readonly isHeld: boolean;
  readonly isApart: boolean;
}

interface MovedAlike {
  readonly busyBlocks: number;
  readonly isOpen: boolean;
  readonly instances: InstanceRecord[];
}

export class FleetCapacity {
  readonly index: FleetIndex;
  readonly #moved = new Map<Id, Moved>();
  /** The instances that were changed, again by their likeness. */
  readonly #alike = new Map<string, MovedAlike>();
  /** For each list of the index: how many were changed, and how many at its beginning. */
  readonly #gone = new Map<string, number>();
  readonly #begins = new Map<string, number>();
  #active: number;
  #occupied: number;
  #open: number;
  #freeBlocks: number;
  #isStarting: boolean;
  /** Numbers below it are in use. */
  #numbersUsed = 0;
  #numbers: Set<number> | null = null;

  constructor(index: FleetIndex) {
    this.index = index;
    const { active, occupied, open, freeBlocks, starting } = index.counts;
    this.#active = active;
    this.#occupied = occupied;
    this.#open = open;
    this.#freeBlocks = freeBlocks;
    this.#isStarting = starting > 0;
  }

  get active(): number {
    return this.#active;
  }

  get occupied(): number {
    return this.#occupied;
  }

  /** Instances that could take at least one block. */
  get open(): number {
    return this.#open;
  }

  /** The free blocks of those. */
  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  /** Its first instance is being created, and no other has a machine. */
  get isFirstStarting(): boolean {
    return this.#isStarting && this.index.counts.created === 0;
  }

  busyBlocks(instance: InstanceRecord): number {
    return this.#moved.get(instance.id)?.busyBlocks ?? instance.busyBlocks;
  }

  isHeld(instance: InstanceRecord): boolean {
    return this.#moved.get(instance.id)?.isHeld ?? false;
  }

  claim(instance: InstanceRecord, blocks: number): void {
    const now = this.#stateOf(instance);
    if (now.busyBlocks === 0) this.#occupied += 1;
    this.#move(instance, { ...now, busyBlocks: now.busyBlocks + blocks });
  }

  hold(instance: InstanceRecord): void {
    const now = this.#stateOf(instance);
    if (now.busyBlocks === 0) this.#occupied += 1;
    this.#move(instance, { ...now, isHeld: true });
  }

  /** From now on these instances are like no other: what a gang gets of them depends on the gang. */
  setApart(ids: ReadonlySet<Id>): void {
    for (const instance of this.index.instances) {
      if (!ids.has(instance.id)) continue;
      this.#move(instance, { ...this.#stateOf(instance), isApart: true });
    }
  }

  /** Counts an instance that is added, or a place for one. */
  addPlace(): void {
    this.#active += 1;
    this.#occupied += 1;
  }

  /** The lowest free number for an instance that is added. */
  takeNumber(): number {
    this.#isStarting = true;
    this.#numbers ??= new Set(this.index.instances.map((one) => one.instanceNum));
    let num = this.#numbersUsed;
    while (this.#numbers.has(num)) num += 1;
    this.#numbers.add(num);
    this.#numbersUsed = num + 1;
    return num;
  }

  /** All instances. */
  *alike(): Iterable<AlikeNow> {
    for (const [key, { busyBlocks, isOpen, instances }] of this.index.alike) {
      const size = instances.length - (this.#gone.get(key) ?? 0);
      if (size === 0) continue;
      const first = (most: number) => this.#firstOf(key, instances, most);
      yield { busyBlocks, isOpen, size, first };
    }
    for (const { busyBlocks, isOpen, instances } of this.#alike.values()) {
      const first = (most: number) => instances.slice(0, most);
      yield { busyBlocks, isOpen, size: instances.length, first };
    }
  }

  /** The first that are unchanged. */
  #firstOf(key: string, instances: readonly InstanceRecord[], most: number): InstanceRecord[] {
    const found: InstanceRecord[] = [];
    const begin = this.#begins.get(key) ?? 0;
    for (let at = begin; at < instances.length && found.length < most; at++) {
      const one = instances[at];
      if (!one || !this.#moved.has(one.id)) {
        if (one) found.push(one);
      } else if (found.length === 0) this.#begins.set(key, at + 1);
    }
    return found;
  }

  #stateOf(instance: InstanceRecord): Omit<Moved, 'key'> {
    const unchanged = { busyBlocks: instance.busyBlocks, isHeld: false, isApart: false };
    return this.#moved.get(instance.id) ?? unchanged;
  }

  #isOpenAs(instance: InstanceRecord, { busyBlocks, isHeld }: Omit<Moved, 'key'>): boolean {
    if (isHeld || busyBlocks >= (instance.totalBlocks ?? 0)) return false;
    return this.index.isOpen(instance);
  }

  #move(instance: InstanceRecord, now: Omit<Moved, 'key'>): void {
    const known = this.#moved.get(instance.id);
    this.#countOpen(instance, known ?? this.#stateOf(instance), -1);
    if (known) this.#leave(instance, known.key);
    else {
      const key = alikeKey(kindOf(instance), instance.busyBlocks);
      this.#gone.set(key, (this.#gone.get(key) ?? 0) + 1);
    }
    const kind = now.isApart ? ownKind(instance) : kindOf(instance);
    const key = `${alikeKey(kind, now.busyBlocks)}${now.isHeld ? ' held' : ''}`;
    this.#moved.set(instance.id, { ...now, key });
    this.#countOpen(instance, now, 1);
    this.#join(instance, key, now);
  }

  #join(instance: InstanceRecord, key: string, now: Omit<Moved, 'key'>): void {
    const known = this.#alike.get(key);
    if (known) {
      known.instances.splice(positionIn(known.instances, instance), 0, instance);
      return;
    }
    const isOpen = this.#isOpenAs(instance, now);
    this.#alike.set(key, { busyBlocks: now.busyBlocks, isOpen, instances: [instance] });
  }

  #leave(instance: InstanceRecord, key: string): void {
    const list = this.#alike.get(key)?.instances ?? [];
    list.splice(positionIn(list, instance), 1);
    if (list.length === 0) this.#alike.delete(key);
  }

  #countOpen(instance: InstanceRecord, now: Omit<Moved, 'key'>, by: 1 | -1): void {
    if (!this.#isOpenAs(instance, now)) return;
    this.#open += by;
    this.#freeBlocks += by * ((instance.totalBlocks ?? 0) - now.busyBlocks);
  }
}
