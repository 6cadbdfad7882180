/** Persistent disks of the type pd-balanced. */
import type { InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError, NoCapacityError } from '../base/errors.ts';
import { KEY_TAG, ownerIn, ownerTags, vmName } from '../base/rest-vm/names.ts';
import { MissingThingError, NotNowError, refusalCode } from '../base/rest-vm/refusals.ts';
import type {
  AttachmentObservation,
  ListedVolume,
  VolumeOrder,
  VolumePort,
} from '../base/volume-port.ts';
import { type GcpOperation, lastSegment, regionOfZone } from './compute.ts';
import type { Disks, GcpDisk } from './disks.ts';
import { vmPlaceIn } from './instance-ids.ts';
import { labelsOf, tagsIn } from './labels.ts';
import { operationError } from './refusals.ts';
import { uuidOf } from './request-ids.ts';

export interface GcpVolumesOptions {
  readonly project: string;
  readonly regions: readonly string[];
  readonly disks: Disks;
  /** Zones of a region that the catalogue lists. */
  readonly zones: (region: string) => readonly string[];
  /** Labels of the configuration. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Dollars per GB and month, as in dstack 0.22.5. */
const GB_PRICE = 0.12;
const NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LONGEST_DEVICE = 63;
const REMEMBERED = 1000;

export class GcpVolumes implements VolumePort {
  readonly #options: GcpVolumesOptions;
  /** Names of operations that disks were last changed by, by their places: they may fail after they were accepted. */
  readonly #begun = new Map<string, string>();

  constructor(options: GcpVolumesOptions) {
    this.#options = options;
  }

  async create(order: VolumeOrder): Promise<VolumeHandle> {
    const { key, owner, sizeGib, tags } = order;
    const { disks, labels, project } = this.#options;
    const region = this.#configured(order.region);
    if (sizeGib === null) throw new BackendError('GCP: a new volume needs a size');
    const made = await this.#madeBy(key, region);
    if (made) return handleOf(made);
    const zone = order.availabilityZone ?? this.#options.zones(region)[0];
    if (zone === undefined) throw new NoCapacityError(`GCP: no zone of ${region} is known`);
    const name = vmName(key);
    const body = {
      ...{
        name,
        sizeGb: String(sizeGib),
        type: `projects/${project}/zones/${zone}/diskTypes/pd-balanced`,
      },
      labels: labelsOf(ownerTags(owner, key), { dstack_name: order.name }, labels, tags),
    };
    try {
      const operation = await disks.insert(zone, body, uuidOf(name, zone, JSON.stringify(body)));
      this.#begin(zone, name, operation);
    } catch (error) {
      // An earlier attempt has made it in this zone.
      if (refusalCode(error) !== 'alreadyExists') throw error;
    }
    return { id: name, region, data: inZone(zone) };
  }

  /** Throws if the operation has failed already. */
  #begin(zone: string, name: string, { status, error, ...operation }: GcpOperation): void {
    const [first] = error?.errors ?? [];
    if (status === 'DONE' && first) throw operationError(first);
    const [oldest] = this.#begun.keys();
    if (this.#begun.size >= REMEMBERED && oldest !== undefined) this.#begun.delete(oldest);
    if (status !== 'DONE') this.#begun.set(`${zone}/${name}`, operation.name);
  }

  /** How the last operation on a disk has failed, once; null = it has not, or goes on. */
  async #failure(zone: string, name: string): Promise<BackendError | null> {
    const operation = this.#begun.get(`${zone}/${name}`);
    if (operation === undefined) return null;
    const found = await this.#options.disks.operation(zone, operation);
    if (found.status !== 'DONE') return null;
    this.#begun.delete(`${zone}/${name}`);
    const [first] = found.error?.errors ?? [];
    return first ? operationError(first) : null;
  }

  async #madeBy(key: string, region: string): Promise<GcpDisk | null> {
    const found = await this.#options.disks.labelled(region);
    return found.find(({ labels = {} }) => tagsIn(labels)[KEY_TAG] === key) ?? null;
  }

  /** The region of a new volume, which a user has named. */
  #configured(region: string): string {
    const { regions } = this.#options;
    const found = regions.find((one) => one === region.toLowerCase());
    if (found !== undefined) return found;
    throw new BackendError(
      `GCP: region ${JSON.stringify(region)} is not among the regions of the backend: ${regions.join(', ')}`,
    );
  }

  async register(id: string, where: { readonly region: string }): Promise<VolumeHandle> {
    const region = this.#configured(where.region);
    if (!NAME.test(id)) throw new BackendError(`GCP: ${JSON.stringify(id)} is no name of a disk`);
    const [disk, other] = await this.#options.disks.named(id, region);
    if (disk === undefined) throw new BackendError(`GCP: no disk ${id} in region ${region}`);
    if (other === undefined) return handleOf(disk);
    const zones = [disk, other].map(({ zone }) => lastSegment(zone)).join(' and ');
    throw new BackendError(`GCP: there are disks ${id} in ${zones}: rename one of them`);
  }

  async observe(handle: VolumeHandle): Promise<VolumeObservation> {
    const disk = await this.#find(handle);
    if (disk === null) {
      const failure = await this.#failure(zoneIn(handle), handle.id);
      return failure === null ? { state: 'missing' } : { state: 'failed', text: failure.message };
    }
    switch (disk.status) {
      case 'DELETING':
        return { state: 'missing' };
      case 'CREATING':
      case 'RESTORING':
        return { state: 'pending', text: disk.status };
      case 'FAILED':
        return { state: 'failed', text: 'GCP: the disk is in the state FAILED' };
      default:
        return readyOf(disk);
    }
  }

  async delete(handle: VolumeHandle): Promise<'deleted' | 'deleting'> {
    try {
      await this.#options.disks.delete(zoneIn(handle), handle.id);
      return 'deleting';
    } catch (error) {
      if (error instanceof MissingThingError) return 'deleted';
      // A machine that ends still has it, or it is being made.
      if (error instanceof NotNowError) return 'deleting';
      throw error;
    }
  }

  async attach(handle: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation> {
    const disk = await this.#find(handle);
    if (disk === null) throw new BackendError(`GCP: there is no disk ${handle.id}`);
    const { zone, name } = vmPlaceIn(to.id);
    const [user] = disk.users ?? [];
    if (user === undefined) {
      const failure = await this.#failure(zone, handle.id);
      if (failure !== null) throw failure;
      return await this.#attach(handle, zone, name);
    }
    if (lastSegment(user) !== name) {
      throw new BackendError(`GCP: disk ${handle.id} is attached to ${lastSegment(user)}`);
    }
    return { state: 'attached', device: `/dev/disk/by-id/google-${deviceOf(handle.id)}` };
  }

  async #attach(handle: VolumeHandle, zone: string, name: string): Promise<AttachmentObservation> {
    try {
      const device = deviceOf(handle.id);
      this.#begin(zone, handle.id, await this.#options.disks.attach(zone, name, handle.id, device));
    } catch (error) {
      // The machine or the disk is still being made, or another call has just begun it.
      if (!(error instanceof NotNowError)) throw error;
      return { state: 'pending', text: error.message };
    }
    return { state: 'pending', text: 'attaching' };
  }

  /** `force`: Google detaches at once in any case. */
  async detach(handle: VolumeHandle, from: InstanceHandle): Promise<AttachmentObservation> {
    const { zone, name } = vmPlaceIn(from.id);
    const disk = await this.#find(handle);
    const isAttached = disk?.users?.some((user) => lastSegment(user) === name) === true;
    if (!isAttached) return { state: 'detached' };
    try {
      const attached = await this.#options.disks.of(zone, name);
      const found = attached.find(({ source = '' }) => lastSegment(source) === handle.id);
      await this.#options.disks.detach(zone, name, found?.deviceName ?? deviceOf(handle.id));
    } catch (error) {
      // It has been detached meanwhile, or its machine has ended; the next call sees it.
      if (!(error instanceof NotNowError || error instanceof MissingThingError)) throw error;
    }
    return { state: 'pending', text: 'detaching' };
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedVolume[]> {
    const found = await this.#options.disks.labelled(null);
    return found
      .filter(({ status }) => status !== 'DELETING')
      .map((disk) => {
        const tags = tagsIn(disk.labels ?? {});
        return { handle: handleOf(disk), owner: ownerIn(tags), key: tags[KEY_TAG] ?? null };
      })
      .filter(({ owner, key }) => owner.server === server && isVolume(key));
  }

  /** Null: there is none. */
  async #find(handle: VolumeHandle): Promise<GcpDisk | null> {
    try {
      return await this.#options.disks.get(zoneIn(handle), handle.id);
    } catch (error) {
      if (error instanceof MissingThingError) return null;
      throw error;
    }
  }
}

const inZone = (zone: string): string => JSON.stringify({ zone });

function zoneIn({ id, data }: VolumeHandle): string {
  const { zone } = JSON.parse(data ?? '{}') as { readonly zone?: string };
  if (zone !== undefined) return zone;
  throw new Error(`the handle of the disk ${id} has no zone`);
}

function handleOf({ name, zone: url }: GcpDisk): VolumeHandle {
  const zone = lastSegment(url);
  return { id: name, region: regionOfZone(zone), data: inZone(zone) };
}

/** Boot disks have the labels of their machines, and end with them. */
const isVolume = (key: string | null): boolean => key?.startsWith('volume.') === true;

/** As in dstack 0.22.5, cut to the length that Google allows. */
const deviceOf = (name: string): string => `pd-${name}`.slice(0, LONGEST_DEVICE);

function readyOf({ sizeGb, zone }: GcpDisk): VolumeObservation {
  const sizeGib = sizeGb === undefined ? null : Number(sizeGb);
  return {
    ...{ state: 'ready', sizeGib, usedGib: null, availabilityZone: lastSegment(zone) },
    ...{ price: sizeGib === null ? null : GB_PRICE * sizeGib, shared: false },
  };
}
