import type { SimFaults } from '@dstack/contract';
import type { InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type {
  AttachmentObservation,
  ListedVolume,
  VolumeOrder,
  VolumePort,
} from '../base/volume-port.ts';
import type { SimCalls, SimClock, SimRandom } from './calls.ts';
import type { SimDisks } from './disks.ts';
import { simId } from './sim-id.ts';
import type { SimAttachment, SimTables, SimVolume } from './tables.ts';

const DOLLARS_PER_GIB = 0.1;
const DEFAULT_GIB = 100;
const SECOND = 1_000_000;

export interface SimVolumesOptions {
  readonly tables: SimTables;
  readonly calls: SimCalls;
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly faults: () => SimFaults;
  readonly disks: SimDisks;
}

/** The network volumes of a simulated provider. Users may have created some of them. */
export class SimVolumes implements VolumePort {
  readonly #options: SimVolumesOptions;
  readonly #tables: SimTables;
  readonly #calls: SimCalls;
  readonly #clock: SimClock;

  constructor(options: SimVolumesOptions) {
    this.#options = options;
    this.#tables = options.tables;
    this.#calls = options.calls;
    this.#clock = options.clock;
  }

  async create(order: VolumeOrder): Promise<VolumeHandle> {
    return await this.#calls.answer(() => {
      const id = simId('vol', order.key);
      const known = this.#tables.volumes.get(id);
      if (known === null) this.#tables.volumes.add(this.#ordered(id, order));
      return { id, region: order.region, data: null };
    });
  }

  #ordered(id: string, { key, owner, region, availabilityZone, sizeGib }: VolumeOrder): SimVolume {
    const { random, faults: now } = this.#options;
    const faults = now();
    const readyAt = this.#clock.now + this.#calls.bootUs();
    return {
      ...{ id, key, owner, region, availabilityZone, sizeGib: sizeGib ?? DEFAULT_GIB },
      createdAt: this.#clock.now,
      readyAt: random.chance(faults.neverReady) ? null : readyAt,
      failure: random.chance(faults.failsToBoot) ? 'the provider could not create it' : null,
    };
  }

  /** A volume of the user, created with the provider's own tools. */
  addOfUser(volume: Pick<SimVolume, 'id' | 'region' | 'sizeGib'>): void {
    const at = { createdAt: 0, readyAt: 0 };
    const more = { key: null, owner: null, availabilityZone: null, failure: null };
    this.#tables.volumes.add({ ...volume, ...at, ...more });
  }

  async register(id: string, { region }: { readonly region: string }): Promise<VolumeHandle> {
    const volume = await this.#calls.answer(() => this.#tables.volumes.get(id));
    if (volume?.region === region) return { id, region, data: null };
    throw new BackendError(`there is no volume ${id} in ${region}`);
  }

  async observe({ id }: VolumeHandle): Promise<VolumeObservation> {
    const volume = await this.#calls.answer(() => this.#tables.volumes.get(id));
    const { now } = this.#clock;
    const hidden = this.#options.faults().eventualSeconds * SECOND;
    if (volume === null || now < volume.createdAt + hidden) return { state: 'missing' };
    const { failure, readyAt, sizeGib, availabilityZone } = volume;
    if (failure !== null) return { state: 'failed', text: failure };
    if (readyAt === null || now < readyAt) return { state: 'pending', text: 'creating' };
    const price = sizeGib * DOLLARS_PER_GIB;
    return { state: 'ready', sizeGib, usedGib: null, availabilityZone, price, shared: false };
  }

  async delete({ id }: VolumeHandle): Promise<'deleted'> {
    return await this.#calls.answer(async () => {
      const use = this.#attachments().find(({ volume }) => volume === id);
      if (use) throw new BackendError(`volume ${id} is attached to ${use.machine}`);
      await this.#options.disks.delete(id);
      this.#tables.volumes.delete(id);
      return 'deleted' as const;
    });
  }

  async attach({ id }: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation> {
    return await this.#calls.answer(async () => {
      const { volumes, machines, attachments } = this.#tables;
      const volume = volumes.get(id);
      const machine = machines.get(to.id);
      if (volume === null) throw new BackendError(`there is no volume ${id}`);
      if (machine === null) throw new BackendError(`there is no machine ${to.id}`);
      if (machine.offer.region !== volume.region) {
        throw new BackendError(
          `volume ${id} is in ${volume.region}, not in ${machine.offer.region}`,
        );
      }
      const all = this.#attachments().filter((one) => one.volume === id);
      const other = all.find((one) => one.machine !== to.id);
      if (other) throw new BackendError(`volume ${id} is attached to ${other.machine}`);
      const attachment = all[0] ?? this.#attachment(id, to.id);
      attachments.add(attachment);
      if (this.#clock.now < attachment.readyAt) return { state: 'pending', text: 'attaching' };
      const device = await this.#options.disks.attach(id, { gib: volume.sizeGib });
      return { state: 'attached', device };
    });
  }

  #attachment(volume: string, machine: string): SimAttachment {
    const { random, faults } = this.#options;
    const readyAt = this.#clock.now + this.#attachUs();
    const isStuck = random.chance(faults().stuckDetach);
    return { id: `${volume} ${machine}`, volume, machine, readyAt, isStuck };
  }

  async detach(
    { id }: VolumeHandle,
    from: InstanceHandle,
    { force }: { readonly force: boolean },
  ): Promise<AttachmentObservation> {
    return await this.#calls.answer(async () => {
      const { detachments } = this.#tables;
      const attachment = this.#attachments().find(
        (one) => one.volume === id && one.machine === from.id,
      );
      if (!attachment) return { state: 'detached' };
      if (attachment.isStuck && !force) return { state: 'pending', text: 'detaching' };
      const isFree = await this.#options.disks.detach(id, { force });
      if (!isFree) return { state: 'pending', text: 'detaching: the machine uses it' };
      const endsAt = this.#clock.now + this.#attachUs();
      if (endsAt <= this.#clock.now) this.#end(attachment);
      else detachments.add({ id: attachment.id, endsAt });
      return endsAt <= this.#clock.now
        ? { state: 'detached' }
        : { state: 'pending', text: 'detaching' };
    });
  }

  /** The machine has ended. */
  async detachAll(machine: string): Promise<void> {
    const mine = this.#tables.attachments.all().filter((one) => one.machine === machine);
    for (const one of mine) {
      await this.#options.disks.detach(one.volume, { force: true });
      this.#end(one);
    }
  }

  /** Without those that have ended meanwhile. */
  #attachments(): readonly SimAttachment[] {
    const { attachments, detachments } = this.#tables;
    for (const one of attachments.all()) {
      const end = detachments.get(one.id);
      if (end !== null && end.endsAt <= this.#clock.now) this.#end(one);
    }
    return attachments.all();
  }

  #end({ id }: SimAttachment): void {
    const { attachments, detachments } = this.#tables;
    attachments.delete(id);
    detachments.delete(id);
  }

  #attachUs(): number {
    const { random, faults } = this.#options;
    const [least, most] = faults().attachSeconds;
    return random.whole(least * SECOND, most * SECOND);
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedVolume[]> {
    const volumes = await this.#calls.answer(() => this.#tables.volumes.all());
    return volumes.flatMap(({ id, key, region, owner }) =>
      owner?.server === server ? [{ handle: { id, region, data: null }, owner, key }] : [],
    );
  }
}
