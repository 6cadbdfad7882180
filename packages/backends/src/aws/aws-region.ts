/** One region of an account of AWS as a provider of machines. */
import { createHash } from 'node:crypto';
import type { Offer } from '@dstack/core';
import {
  BusyError,
  NoCapacityError,
  QuotaError,
  RefusedOrderError,
  SkipOfferError,
} from '../base/errors.ts';
import type { CheckResult } from '../base/port.ts';
import { KEY_TAG, ownerTags, vmName } from '../base/rest-vm/names.ts';
import { MissingThingError } from '../base/rest-vm/refusals.ts';
import type { Vm, VmCloud, VmOrder, VmPhase } from '../base/rest-vm/vm-cloud.ts';
import type { Ec2, Ec2Instance } from './ec2.ts';
import type { AwsParameters } from './form.ts';
import type { BootImage, Images } from './images.ts';
import type { Networks } from './networks.ts';
import { fitsPlacementGroup, placementGroupName } from './placement-groups.ts';
import { bucketOf } from './quotas.ts';
import { tagSpecification, validTags } from './tags.ts';

export interface AwsRegionOptions {
  readonly ec2: Ec2;
  readonly networks: Networks;
  readonly images: Images;
  /** Whether machines get public addresses. */
  readonly isPublic: boolean;
  /** Name of the IAM instance profile of machines; null = none. */
  readonly profile: string | null;
  /** Tags of the configuration, which win over those of users. */
  readonly tags: Readonly<Record<string, string>>;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

const STATUSES: Readonly<Record<string, VmPhase>> = {
  pending: 'waiting',
  running: 'ready',
  'shutting-down': 'ending',
  terminated: 'ended',
  // Its disk is charged: it has to be ended all the same.
  stopping: 'broken',
  stopped: 'broken',
  'Server.SpotInstanceTermination': 'reclaimed',
  'Server.SpotInstanceShutdown': 'reclaimed',
};

/** Facts that EC2 does not report with a machine. */
const PRICE_TAG = 'dstack-price';
const DISK_TAG = 'dstack-disk-gb';
const USER_TAG = 'dstack-user';
const NETWORK_TAG = 'dstack-network';
const PRIVATE = 'private';
const MIB_PER_GIB = 1024;
const LONGEST_USER_DATA = 16_384;
const TOKEN_LENGTH = 64;

export class AwsRegion implements VmCloud {
  readonly type = 'aws';
  readonly title = 'AWS';
  readonly loginUser = 'ubuntu';
  readonly statuses = STATUSES;
  readonly lateMs = 30_000;
  readonly hasVolumes = true;
  readonly #options: AwsRegionOptions;

  constructor(options: AwsRegionOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly Vm[]> {
    const instances = await this.#options.ec2.instances({ 'tag-key': [KEY_TAG] });
    return instances.filter(isReported).map((instance) => this.#vmOf(instance));
  }

  /** Looks for network and image, so that the order itself is one call. */
  async prepare(order: VmOrder): Promise<void> {
    if (Buffer.byteLength(order.userData) > LONGEST_USER_DATA) {
      throw new RefusedOrderError('AWS: too many keys may log in: user data is over 16 kB');
    }
    const { name } = order.offer.instance;
    if (order.placementGroup && !fitsPlacementGroup(name)) {
      throw new SkipOfferError(`AWS puts no ${name} into a placement group`);
    }
    await this.#parts(order);
  }

  async create(order: VmOrder): Promise<string> {
    const { ec2, networks, images } = this.#options;
    const parameters = this.#runForm(order, await this.#parts(order));
    try {
      return (await ec2.run(parameters, order.signal)) ?? '';
    } catch (error) {
      // A user may have deleted what is remembered.
      if (!isAboutOffer(error)) {
        networks.forget();
        images.forget();
      }
      throw error instanceof QuotaError ? quotaError(error, order.offer) : error;
    }
  }

  async end({ id }: Pick<Vm, 'id'>): Promise<void> {
    const before = await this.#options.ec2.terminate(id);
    if (before === 'terminated') throw new MissingThingError(`AWS: ${id} has ended before`);
  }

  /** Those of all regions are made together. */
  async offers(): Promise<readonly Offer[]> {
    return [];
  }

  async check(): Promise<readonly CheckResult[]> {
    return [];
  }

  async #parts({ offer, owner }: VmOrder): Promise<MachineParts> {
    const { networks, images } = this.#options;
    const [zone] = offer.availability_zones ?? [];
    const [image, network, group] = await Promise.all([
      images.of(offer.instance),
      networks.network(),
      networks.group(owner.project, owner.server),
    ]);
    const subnet = network.subnets.find((one) => one.zone === zone);
    if (subnet) return { image, group, subnet: subnet.id };
    throw new SkipOfferError(`the network of region ${offer.region} has no subnet in ${zone}`);
  }

  #runForm(order: VmOrder, { image, subnet, group }: MachineParts): AwsParameters {
    const { isPublic, profile } = this.#options;
    const { offer, userData } = order;
    const { name, resources } = offer.instance;
    const diskGb = Math.max(Math.ceil(resources.disk.size_mib / MIB_PER_GIB), image.rootSize);
    const tags = this.#tags(order, image, diskGb);
    const parameters: AwsParameters = {
      ...{ ImageId: image.id, InstanceType: name, MinCount: 1, MaxCount: 1 },
      UserData: Buffer.from(userData).toString('base64'),
      // A machine that shuts itself down costs nothing more; a one-time spot machine ends anyway.
      ...(!resources.spot && { InstanceInitiatedShutdownBehavior: 'terminate' }),
      BlockDeviceMapping: [
        {
          DeviceName: image.rootDevice,
          Ebs: { VolumeSize: diskGb, VolumeType: 'gp3', DeleteOnTermination: true },
        },
      ],
      NetworkInterface: [
        {
          ...{ DeviceIndex: 0, SubnetId: subnet, SecurityGroupId: [group] },
          ...{ AssociatePublicIpAddress: isPublic, DeleteOnTermination: true },
        },
      ],
      ...(order.placementGroup && {
        Placement: { GroupName: placementGroupName(order.owner.server, order.placementGroup) },
      }),
      ...(profile !== null && { IamInstanceProfile: { Name: profile } }),
      ...(resources.spot && {
        InstanceMarketOptions: {
          MarketType: 'spot',
          SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
        },
      }),
      TagSpecification: ['instance', 'volume', 'network-interface']
        .concat(resources.spot ? ['spot-instances-request'] : [])
        .map((type) => tagSpecification(type, tags)),
    };
    return { ...parameters, ClientToken: tokenOf(order, parameters) };
  }

  #tags({ owner, tags, offer }: VmOrder, image: BootImage, diskGb: number) {
    const own = ownerTags(owner, tags[KEY_TAG] ?? '');
    const facts = {
      ...{ Name: owner.instance, [PRICE_TAG]: String(offer.price) },
      ...{ [DISK_TAG]: String(diskGb), [USER_TAG]: image.user },
      [NETWORK_TAG]: this.#options.isPublic ? 'public' : PRIVATE,
    };
    return validTags(own, facts, this.#options.tags, tags);
  }

  #vmOf(instance: Ec2Instance): Vm {
    const { id, type, reason, tags } = instance;
    const isReclaimed = reason !== null && STATUSES[reason.code] === 'reclaimed';
    const price = Number(tags[PRICE_TAG] ?? '');
    return {
      ...{ id, tags, name: vmName(tags[KEY_TAG] ?? ''), region: this.#options.ec2.region },
      status: isReclaimed ? reason.code : instance.state,
      isOver: instance.state === 'terminated',
      price: tags[PRICE_TAG] === undefined || Number.isNaN(price) ? null : price,
      instance: withDisk(this.#options.sizes(type) ?? unknownInstance(instance), instance),
      // The order, not the present configuration, decides which address is used.
      address: tags[NETWORK_TAG] === PRIVATE ? instance.privateAddress : instance.address,
      zone: instance.zone,
      privateAddress: instance.privateAddress,
      problem: reason === null ? null : wordsOf(reason, isReclaimed),
      loginUser: tags[USER_TAG] ?? null,
    };
  }
}

/** EC2's messages begin with the code, which is the status of a reclaimed machine. */
function wordsOf({ code, message }: NonNullable<Ec2Instance['reason']>, isStatus: boolean): string {
  const prefix = `${code}: `;
  return isStatus && message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

interface MachineParts {
  readonly image: BootImage;
  readonly subnet: string;
  readonly group: string;
}

/**
 * EC2 lists a machine for an hour after its end. One that was ended by a call is as good as unknown; the end of
 * any other one is news.
 */
function isReported({ state, reason }: Ec2Instance): boolean {
  return state !== 'terminated' || !(reason === null || reason.code.startsWith('Client.User'));
}

/**
 * The same for the same request: EC2 answers a repetition with the first machine. Tags are looked for too, as EC2
 * forgets tokens.
 */
function tokenOf({ name }: VmOrder, parameters: AwsParameters): string {
  const hash = createHash('sha256').update(JSON.stringify(parameters)).digest('hex');
  return `${name}-${hash}`.slice(0, TOKEN_LENGTH);
}

function quotaError(error: QuotaError, { instance, region }: Offer): QuotaError {
  const { title } = bucketOf(instance.name, instance.resources.spot);
  return new QuotaError(
    `no quota: ${instance.resources.cpus} vCPU of ${title} in ${region}: ${error.message}`,
    { cause: error },
  );
}

/** Otherwise it may be about network or image. */
function isAboutOffer(error: unknown): boolean {
  return error instanceof NoCapacityError || error instanceof BusyError;
}

function withDisk(known: Offer['instance'], { tags, isSpot }: Ec2Instance): Offer['instance'] {
  const disk = { size_mib: Number(tags[DISK_TAG] ?? 0) * MIB_PER_GIB };
  return { ...known, resources: { ...known.resources, disk, spot: isSpot } };
}

function unknownInstance({ type, isSpot, isArm }: Ec2Instance): Offer['instance'] {
  const resources = { cpus: 0, memory_mib: 0, gpus: [], spot: isSpot, description: '' };
  const cpu_arch = isArm ? 'arm' : 'x86';
  return { name: type, resources: { ...resources, disk: { size_mib: 0 }, cpu_arch } };
}
