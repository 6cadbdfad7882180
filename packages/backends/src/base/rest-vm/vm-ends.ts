/** Ends machines: those of instances, and those that an order has made beside another one. */
import type { InstanceHandle } from '@dstack/core';
import type { HowReleased } from '../instance-port.ts';
import type { JudgedLists } from './judged-lists.ts';
import { KEY_TAG, ownerIn } from './names.ts';
import type { CallPace } from './pace.ts';
import { MissingThingError, NotNowError } from './refusals.ts';
import type { Vm, VmCloud } from './vm-cloud.ts';
import { isOver, phaseOf } from './vm-phases.ts';
import type { VmWay } from './vm-way.ts';

export interface VmEndsOptions {
  readonly cloud: VmCloud;
  readonly way: Pick<VmWay, 'handleData' | 'released'>;
  readonly pace: Pick<CallPace, 'now'>;
  readonly lists: JudgedLists;
}

interface Unlisted {
  /** Since when it is to be ended. */
  readonly since: number;
  /** The provider has known it, and has begun to end it. */
  readonly isAccepted: boolean;
}

export class VmEnds {
  readonly #options: VmEndsOptions;
  /** Machines whose order another one serves, and whose end is being ordered. */
  readonly #endingDoubles = new Set<string>();
  /** Machines to be ended that the last list lacks, by id. */
  readonly #unlisted = new Map<string, Unlisted>();

  constructor(options: VmEndsOptions) {
    this.#options = options;
  }

  async release(
    handle: InstanceHandle,
    { isOrphan = false, wasAccepted = false }: HowReleased = {},
  ): Promise<'released' | 'releasing'> {
    const { id } = handle;
    const { lists, way } = this.#options;
    way.released?.(id);
    const machines = await lists.shared();
    const vm = machines.find((one) => one.id === id);
    if (vm === undefined) return await this.#releaseUnlisted(id, wasAccepted);
    // The other one of an orphan's order may be the one that serves it.
    if (!isOrphan) this.endDoubles(handle, vm, machines);
    this.#unlisted.delete(id);
    return await this.end(vm);
  }

  /** A list may omit a machine for a moment, of any age: only the provider's own answer counts. */
  async #releaseUnlisted(id: string, wasAccepted: boolean): Promise<'released' | 'releasing'> {
    const { pace, cloud, lists } = this.#options;
    const { since, isAccepted } = this.#unlisted.get(id) ?? {
      ...{ since: pace.now(), isAccepted: wasAccepted },
    };
    const isUnknown = await this.#endById(id);
    this.#unlisted.set(id, { since, isAccepted: isAccepted || !isUnknown });
    // Another account has no such machine either, and it would run on in its own.
    if (isUnknown && !isAccepted) lists.missing.unknown(id, since);
    else lists.missing.ended(id);
    const isGone = isUnknown && lists.hasListed(id);
    if (!isGone && pace.now() - since < cloud.lateMs) return 'releasing';
    this.#unlisted.delete(id);
    lists.missing.ended(id);
    return 'released';
  }

  /**
   * Ends machines of the order of this one: the provider may carry out a creation long after its caller has given
   * up, when another one has been made.
   */
  endDoubles({ data }: InstanceHandle, kept: Vm, machines: readonly Vm[]): void {
    const key = kept.tags[KEY_TAG];
    if (key === undefined) return;
    const { handleData } = this.#options.way;
    // A container may be able to change its tags. Its handle is ours, and names its order.
    if (handleData && handleData(key) !== data) return;
    const { server } = ownerIn(kept.tags);
    for (const vm of machines) {
      const isDouble = vm.tags[KEY_TAG] === key && ownerIn(vm.tags).server === server;
      if (!isDouble || vm.id === kept.id || this.#endingDoubles.has(vm.id)) continue;
      this.#endingDoubles.add(vm.id);
      const settled = () => void this.#endingDoubles.delete(vm.id);
      // After an error it is still listed, and the next observation orders its end again.
      this.end(vm).then(settled, settled);
    }
  }

  async end(vm: Vm): Promise<'released' | 'releasing'> {
    const { cloud, lists } = this.#options;
    if (isOver(cloud, vm)) return 'released';
    if (phaseOf(cloud, vm) === 'ending') return 'releasing';
    try {
      await cloud.end(vm);
      lists.missing.ended(vm.id);
    } catch (error) {
      // Listed a moment ago, or not listed yet: the next call decides.
      if (!(error instanceof MissingThingError || error instanceof NotNowError)) throw error;
    } finally {
      lists.changed();
    }
    return 'releasing';
  }

  /** Whether the provider answers that there is no such machine, which is also true of one that is too new. */
  async #endById(id: string): Promise<boolean> {
    try {
      await this.#options.cloud.end({ id, region: '' });
      return false;
    } catch (error) {
      if (error instanceof MissingThingError) return true;
      if (error instanceof NotNowError) return false;
      throw error;
    } finally {
      this.#options.lists.changed();
    }
  }
}
