/** EBS volumes of the type gp3. */
import type { InstanceHandle, VolumeHandle, VolumeObservation } from '@dstack/core';
import { BackendError, NoAnswerError, NoCapacityError } from '../base/errors.ts';
import { digest } from '../base/rest-vm/in-region.ts';
import { KEY_TAG, ownerIn } from '../base/rest-vm/names.ts';
import { MissingThingError, NotNowError } from '../base/rest-vm/refusals.ts';
import type {
  AttachmentObservation,
  ListedVolume,
  VolumeOrder,
  VolumePort,
} from '../base/volume-port.ts';
import type { Ec2, Ec2Volume } from './ec2.ts';
import type { AwsParameters } from './form.ts';
import { awsCode } from './refusals.ts';
import { resourceTags } from './resources.ts';
import { tagSpecification } from './tags.ts';

export interface EbsVolumesOptions {
  readonly regions: readonly string[];
  readonly of: (region: string) => Ec2;
  /** Zones in which the network of a region has a subnet. */
  readonly zones: (region: string) => Promise<readonly string[]>;
  /** Tags of the configuration. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Names by which EC2 attaches a volume. */
const NAMES = [...'fghijklmnop'].map((letter) => `/dev/sd${letter}`);
/** Dollars per GB and month, and per operation a second over those that are included, as in dstack 0.22.5. */
const PRICE = { gb: 0.08, iops: 0.005, included: 3000 };
const STATES = { creating: 'pending', deleting: 'missing', deleted: 'missing', error: 'failed' };

export class EbsVolumes implements VolumePort {
  readonly #options: EbsVolumesOptions;

  constructor(options: EbsVolumesOptions) {
    this.#options = options;
  }

  async create(order: VolumeOrder): Promise<VolumeHandle> {
    const { key, name, owner, sizeGib, tags } = order;
    const region = this.#configured(order.region);
    if (sizeGib === null) throw new BackendError('AWS: a new volume needs a size');
    const ec2 = this.#options.of(region);
    const [made] = await ec2.volumes({ [`tag:${KEY_TAG}`]: [key] });
    if (made) return handleOf(region, made.id);
    const zone = await this.#zoneOf(region, order.availabilityZone);
    const parameters: AwsParameters = {
      ...{ Size: sizeGib, VolumeType: 'gp3', AvailabilityZone: zone },
      TagSpecification: [
        tagSpecification(
          'volume',
          resourceTags(owner, key, { Name: name, ...this.#options.tags }, tags),
        ),
      ],
    };
    // EC2 answers a repetition of an order without an answer with its volume.
    const ClientToken = `dstack-${digest(key)}-${digest(JSON.stringify(parameters))}`;
    const answer = await ec2.change('CreateVolume', { ...parameters, ClientToken });
    const id = answer.text('volumeId');
    if (id !== null) return handleOf(region, id);
    throw new NoAnswerError('AWS: a creation that was answered without an id');
  }

  /** The region of a new volume, which a user has named. */
  #configured(region: string): string {
    const { regions } = this.#options;
    const found = regions.find((one) => one === region.toLowerCase());
    if (found !== undefined) return found;
    throw new BackendError(
      `AWS: region ${JSON.stringify(region)} is not among the regions of the backend: ${regions.join(', ')}`,
    );
  }

  async #zoneOf(region: string, availabilityZone: string | null): Promise<string> {
    if (availabilityZone !== null) return availabilityZone;
    const [zone] = await this.#options.zones(region);
    if (zone !== undefined) return zone;
    throw new NoCapacityError(`AWS: the network of ${region} has no zones`);
  }

  async register(id: string, where: { readonly region: string }): Promise<VolumeHandle> {
    const region = this.#configured(where.region);
    const volume = await this.#find(handleOf(region, id)).catch((error: unknown) => {
      const isId = awsCode(error)?.startsWith('Invalid') === true;
      throw isId ? new BackendError(`AWS: ${id} is no id of a volume`) : error;
    });
    if (volume) return handleOf(region, id);
    throw new BackendError(`AWS: no volume ${id} in region ${region}`);
  }

  async observe(handle: VolumeHandle): Promise<VolumeObservation> {
    const volume = await this.#find(handle);
    if (volume === null) return { state: 'missing' };
    const state = Object.hasOwn(STATES, volume.state)
      ? STATES[volume.state as keyof typeof STATES]
      : 'ready';
    switch (state) {
      case 'pending':
        return { state, text: volume.state };
      case 'missing':
        return { state };
      case 'failed':
        return { state, text: `AWS: the volume is in the state ${volume.state}` };
      default:
        return readyOf(volume);
    }
  }

  async delete(handle: VolumeHandle): Promise<'deleted' | 'deleting'> {
    try {
      await this.#options.of(handle.region).change('DeleteVolume', { VolumeId: handle.id });
      return 'deleting';
    } catch (error) {
      if (error instanceof MissingThingError) return 'deleted';
      // It is being deleted, or a machine that ends still has it.
      if (error instanceof NotNowError || awsCode(error) === 'VolumeInUse') return 'deleting';
      throw error;
    }
  }

  async attach(handle: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation> {
    const volume = await this.#find(handle);
    if (volume === null) throw new BackendError(`AWS: there is no volume ${handle.id}`);
    const [attached] = volume.attachments.filter(({ state }) => state !== 'detached');
    if (attached === undefined) return await this.#attach(handle, to);
    if (attached.state === 'detaching') {
      return { state: 'pending', text: `detaching from ${attached.instance}` };
    }
    if (attached.instance !== to.id) {
      throw new BackendError(`AWS: volume ${handle.id} is attached to ${attached.instance}`);
    }
    if (attached.state !== 'attached') return { state: 'pending', text: attached.state };
    return {
      state: 'attached',
      device: deviceOf(handle.id, await this.#typeOf(handle, to), attached.device),
    };
  }

  /** By the first name that the machine does not use. */
  async #attach(handle: VolumeHandle, to: InstanceHandle): Promise<AttachmentObservation> {
    const ec2 = this.#options.of(handle.region);
    for (const Device of NAMES) {
      try {
        await ec2.change('AttachVolume', { VolumeId: handle.id, InstanceId: to.id, Device });
        return { state: 'pending', text: 'attaching' };
      } catch (error) {
        if (error instanceof NotNowError) return { state: 'pending', text: error.message };
        const isUsed = /unixDevice|already in use/.test((error as Error).message);
        if (awsCode(error) !== 'InvalidParameterValue' || !isUsed) throw error;
      }
    }
    throw new BackendError(`AWS: machine ${to.id} has no free name for another volume`);
  }

  async #typeOf({ region }: VolumeHandle, { id }: InstanceHandle): Promise<string> {
    const [instance] = await this.#options.of(region).instances({ 'instance-id': [id] });
    return instance?.type ?? '';
  }

  async detach(
    handle: VolumeHandle,
    from: InstanceHandle,
    { force }: { readonly force: boolean },
  ): Promise<AttachmentObservation> {
    const volume = await this.#find(handle);
    const attached = volume?.attachments.find(({ instance }) => instance === from.id);
    if (attached === undefined || attached.state === 'detached') return { state: 'detached' };
    if (attached.state === 'detaching' && !force) return { state: 'pending', text: 'detaching' };
    try {
      await this.#options.of(handle.region).change('DetachVolume', {
        ...{ VolumeId: handle.id, InstanceId: from.id, ...(force && { Force: true }) },
      });
    } catch (error) {
      // It has been detached meanwhile; the next call sees it.
      const isDone = error instanceof NotNowError || error instanceof MissingThingError;
      if (!isDone && awsCode(error) !== 'InvalidAttachment.NotFound') throw error;
    }
    return { state: 'pending', text: 'detaching' };
  }

  async list({ server }: { readonly server: string }): Promise<readonly ListedVolume[]> {
    const lists = await Promise.all(
      this.#options.regions.map(async (region) => {
        const volumes = await this.#options.of(region).volumes({ 'tag-key': [KEY_TAG] });
        return volumes.filter(isOwn).map(({ id, tags }) => ({
          ...{ handle: handleOf(region, id), owner: ownerIn(tags), key: tags[KEY_TAG] ?? null },
        }));
      }),
    );
    return lists.flat().filter(({ owner }) => owner.server === server);
  }

  /** Null: there is none. */
  async #find({ id, region }: VolumeHandle): Promise<Ec2Volume | null> {
    try {
      return (await this.#options.of(region).volumes({}, [id]))[0] ?? null;
    } catch (error) {
      if (error instanceof MissingThingError) return null;
      throw error;
    }
  }
}

const handleOf = (region: string, id: string): VolumeHandle => ({ id, region, data: null });

/** Root disks have the tags of their machines, and end with them. */
function isOwn({ tags, state }: Ec2Volume): boolean {
  return tags[KEY_TAG]?.startsWith('volume.') === true && state !== 'deleting';
}

function readyOf({ sizeGib, zone, iops }: Ec2Volume): VolumeObservation {
  const over = Math.max(0, (iops ?? PRICE.included) - PRICE.included);
  const price = sizeGib === null ? null : PRICE.gb * sizeGib + PRICE.iops * over;
  return { state: 'ready', sizeGib, usedGib: null, availabilityZone: zone, price, shared: false };
}

/** Returns the name of the device in Linux: most machines have NVMe, where the number of a device may be any. */
function deviceOf(volume: string, type: string, name: string | null): string {
  if (type.startsWith('t2.')) return (name ?? NAMES[0] ?? '').replace('/dev/sd', '/dev/xvd');
  return `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume.replace('-', '')}`;
}
