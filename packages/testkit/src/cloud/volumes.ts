import { type CloudClock, SECOND_US } from './clock.ts';
import type { CloudFaults } from './faults.ts';
import { Refusal } from './refusal.ts';
import type { CloudRandom, CloudTag } from './vm.ts';

export interface VolumeOrder {
  readonly name: string;
  readonly region: string;
  readonly sizeGib: number;
  readonly tags: readonly CloudTag[];
}

export interface CloudVolume extends VolumeOrder {
  readonly id: string;
  /** In µs. */
  readonly createdAt: number;
  /** `failed`: the order was accepted, and the volume could not be made. */
  readonly state: 'pending' | 'ready' | 'failed';
  readonly attachment: VolumeAttachment | null;
}

export interface VolumeAttachment {
  readonly vm: string;
  readonly state: 'attaching' | 'attached' | 'detaching';
}

export interface VolumesOptions {
  readonly clock: CloudClock;
  readonly random: CloudRandom;
  readonly faults: () => CloudFaults;
  readonly newId: () => string;
}

interface Entry {
  readonly id: string;
  readonly order: VolumeOrder;
  readonly createdAt: number;
  readonly readyAt: number | null;
  readonly fails: boolean;
  attachment: { readonly vm: string; readonly at: number; readonly isStuck: boolean } | null;
  detachedAt: number | null;
}

/** The network volumes of an account. */
export class CloudVolumes {
  readonly #options: VolumesOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: VolumesOptions) {
    this.#options = options;
  }

  create(order: VolumeOrder): CloudVolume {
    const { clock, random, faults, newId } = this.#options;
    const { bootSeconds, neverReady, failsToBoot } = faults();
    const readyAt = clock.now + this.#during(bootSeconds);
    const entry: Entry = {
      ...{ id: newId(), order, createdAt: clock.now, attachment: null, detachedAt: null },
      readyAt: random.chance(neverReady) ? null : readyAt,
      fails: random.chance(failsToBoot),
    };
    this.#entries.set(entry.id, entry);
    return this.#view(entry);
  }

  all(): readonly CloudVolume[] {
    return [...this.#entries.values()].map((entry) => this.#view(entry));
  }

  /** Those that answers contain. */
  visible(): readonly CloudVolume[] {
    const { clock, faults } = this.#options;
    const since = clock.now - faults().eventualSeconds * SECOND_US;
    return this.all().filter(({ createdAt }) => createdAt <= since);
  }

  require(id: string): CloudVolume {
    const volume = this.visible().find((one) => one.id === id);
    if (volume === undefined) throw new Refusal('not_found', `no volume ${id}`, { what: id });
    return volume;
  }

  delete(id: string): void {
    if (this.require(id).attachment !== null) {
      throw new Refusal('not_now', `volume ${id} is attached`, { what: id });
    }
    this.#entries.delete(id);
  }

  /** Begins it, and returns the seconds until it is attached. */
  attach(id: string, vm: { readonly id: string; readonly region: string }): number {
    const volume = this.require(id);
    if (volume.attachment !== null) {
      throw new Refusal('not_now', `volume ${id} is attached`, { what: id });
    }
    if (volume.region !== vm.region) {
      throw new Refusal('invalid', `volume ${id} is in ${volume.region}`, { what: id });
    }
    const { clock, random, faults } = this.#options;
    const takesUs = this.#during(faults().attachSeconds);
    const isStuck = random.chance(faults().stuckDetach);
    const entry = this.#entry(id);
    entry.attachment = { vm: vm.id, at: clock.now + takesUs, isStuck };
    entry.detachedAt = null;
    return takesUs / SECOND_US;
  }

  /** Begins it, and returns the seconds until it is detached; null = never without force. */
  detach(id: string, vm: string, force = false): number | null {
    const { attachment } = this.require(id);
    if (attachment?.vm !== vm) {
      throw new Refusal('not_found', `volume ${id} is not attached to ${vm}`, { what: id });
    }
    const entry = this.#entry(id);
    if (entry.attachment?.isStuck && !force) return null;
    const { clock, faults } = this.#options;
    const takesUs = this.#during(faults().attachSeconds);
    entry.detachedAt ??= clock.now + takesUs;
    return (entry.detachedAt - clock.now) / SECOND_US;
  }

  /** The machine has ended. */
  detachAll(vm: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.attachment?.vm === vm) entry.attachment = null;
    }
  }

  #during([least, most]: readonly [number, number]): number {
    const { random } = this.#options;
    return random.whole(Math.round(least * SECOND_US), Math.round(most * SECOND_US));
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new Refusal('not_found', `no volume ${id}`, { what: id });
    return entry;
  }

  #view(entry: Entry): CloudVolume {
    const { id, order, createdAt, readyAt, fails } = entry;
    const { now } = this.#options.clock;
    const isDue = readyAt !== null && readyAt <= now;
    const state = isDue ? (fails ? 'failed' : 'ready') : 'pending';
    return { ...order, id, createdAt, state, attachment: attachmentOf(entry, now) };
  }
}

function attachmentOf({ attachment, detachedAt }: Entry, now: number): VolumeAttachment | null {
  if (attachment === null) return null;
  if (detachedAt !== null) {
    return detachedAt <= now ? null : { vm: attachment.vm, state: 'detaching' };
  }
  return { vm: attachment.vm, state: attachment.at <= now ? 'attached' : 'attaching' };
}
