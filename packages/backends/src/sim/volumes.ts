import type { InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError } from '../base/errors.ts';
import type { AttachmentObservation, VolumeOrder, Volumes } from '../base/port.ts';
import type { SimCalls, SimClock } from './calls.ts';
import { simId } from './sim-id.ts';
import type { SimTables, SimVolume } from './tables.ts';

const DOLLARS_PER_GIB = 0.1;
const DEFAULT_GIB = 100;

/** The network volumes of a simulated provider. Users may have made some of them. */
export class SimVolumes implements Volumes {
  readonly #tables: SimTables;
  readonly #calls: SimCalls;
  readonly #clock: SimClock;

  constructor(tables: SimTables, calls: SimCalls, clock: SimClock) {
    this.#tables = tables;
    this.#calls = calls;
    this.#clock = clock;
  }

  async create(order: VolumeOrder): Promise<VolumeHandle> {
    const { key, owner, region, availabilityZone, sizeGib } = order;
    return await this.#calls.answer(() => {
      const id = simId('vol', key);
      const bootUs = this.#calls.bootUs();
      this.#tables.volumes.add({
        ...{ id, owner, region, availabilityZone },
        ...{ sizeGib: sizeGib ?? DEFAULT_GIB, readyAt: this.#clock.now + bootUs },
      });
      return { id, region, data: null };
    });
  }

  /** A volume of the user, as others made it with the provider's own tools. */
  addOfUser(volume: Pick<SimVolume, 'id' | 'region' | 'sizeGib'>): void {
    const readyAt = this.#clock.now;
    this.#tables.volumes.add({ ...volume, owner: null, availabilityZone: null, readyAt });
  }

  async register(id: string, { region }: { readonly region: string }): Promise<VolumeHandle> {
    const volume = await this.#calls.answer(() => this.#tables.volumes.get(id));
    if (volume?.region === region) return { id, region, data: null };
    throw new BackendError(`there is no volume ${id} in ${region}`);
  }

  async observe({ id }: VolumeHandle): Promise<VolumeObservation> {
    const volume = await this.#calls.answer(() => this.#tables.volumes.get(id));
    if (volume === null) return { state: 'missing' };
    if (this.#clock.now < volume.readyAt) return { state: 'pending', text: 'creating' };
    const { sizeGib, availabilityZone } = volume;
    const price = sizeGib * DOLLARS_PER_GIB;
    return { state: 'ready', sizeGib, usedGib: null, availabilityZone, price, shared: false };
  }

  async delete({ id }: VolumeHandle): Promise<'deleted'> {
    return await this.#calls.answer(() => {
      const use = this.#tables.attachments.all().find(({ volume }) => volume === id);
      if (use) throw new BackendError(`volume ${id} is attached to ${use.machine}`);
      this.#tables.volumes.delete(id);
      return 'deleted';
    });
  }

  async attach({ id }: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation> {
    return await this.#calls.answer(() => {
      const { volumes, machines, attachments } = this.#tables;
      if (volumes.get(id) === null) throw new BackendError(`there is no volume ${id}`);
      if (machines.get(to.id) === null) throw new BackendError(`there is no machine ${to.id}`);
      const other = attachments.all().find((one) => one.volume === id && one.machine !== to.id);
      if (other) throw new BackendError(`volume ${id} is attached to ${other.machine}`);
      attachments.add({ id: `${id} ${to.id}`, volume: id, machine: to.id });
      return { state: 'attached', device: null };
    });
  }

  async detach({ id }: VolumeHandle, from: InstanceHandle): Promise<AttachmentObservation> {
    return await this.#calls.answer(() => {
      this.#tables.attachments.delete(`${id} ${from.id}`);
      return { state: 'detached' };
    });
  }

  async list({ server }: { readonly server: string }): Promise<readonly VolumeHandle[]> {
    const volumes = await this.#calls.answer(() => this.#tables.volumes.all());
    return volumes
      .filter(({ owner }) => owner?.server === server)
      .map(({ id, region }) => ({ id, region, data: null }));
  }
}
