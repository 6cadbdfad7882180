/** The order of a machine as the form of `RunInstances`: one call, with tags on everything that it makes. */
import { createHash } from 'node:crypto';
import { KEY_TAG, ownerTags } from '../base/rest-vm/names.ts';
import type { VmOrder } from '../base/rest-vm/vm-cloud.ts';
import type { ReservedCapacity } from './ec2.ts';
import type { AwsParameters } from './form.ts';
import type { BootImage } from './images.ts';
import { interfacesOf } from './network-cards.ts';
import { placementGroupName } from './placement-groups.ts';
import { tagSpecification, validTags } from './tags.ts';

/** The parts of an order for which EC2 was asked first. */
export interface RunParts {
  readonly image: BootImage;
  readonly subnet: string;
  /** Id of the security group. */
  readonly group: string;
  /** Null: the machine is of no reservation. */
  readonly reservation: ReservedCapacity | null;
  /** Interfaces of EFA that it can have; 0 = none, or the machine is in no cluster. */
  readonly efa: number;
}

export interface RunSettings {
  /** Whether machines get public addresses. */
  readonly isPublic: boolean;
  /** Name of the IAM instance profile of machines; null = none. */
  readonly profile: string | null;
  /** Tags of the configuration, which win over those of users. */
  readonly tags: Readonly<Record<string, string>>;
  /** Whether a public machine gets its address with the order; omitted: it does. */
  readonly getsAddress?: boolean;
  /** The tag with the key of the order; omitted: that of instances. */
  readonly keyTag?: string;
}

/** Tags with facts that EC2 does not report with a machine. */
export const VM_TAGS = {
  ...{ price: 'dstack-price', disk: 'dstack-disk-gb' },
  ...{ user: 'dstack-user', network: 'dstack-network' },
} as const;
export const PRIVATE = 'private';
/** In place of `KEY_TAG`, with the key of the order, on machines of gateways. */
export const GATEWAY_KEY_TAG = 'dstack-gateway-key';

const MIB_PER_GIB = 1024;
const TOKEN_LENGTH = 64;

export function runForm(order: VmOrder, parts: RunParts, settings: RunSettings): AwsParameters {
  const { image, subnet, group, efa } = parts;
  const { isPublic, profile, getsAddress = isPublic } = settings;
  const { offer, userData } = order;
  const { name, resources } = offer.instance;
  const diskGb = Math.max(Math.ceil(resources.disk.size_mib / MIB_PER_GIB), image.rootSize);
  const tags = tagsOf(order, image, diskGb, settings);
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
    NetworkInterface: interfacesOf({ type: name, efa, subnet, group, isPublic: getsAddress }),
    ...placeOf(order, parts),
    ...(profile !== null && { IamInstanceProfile: { Name: profile } }),
    ...marketOf(order, parts),
    TagSpecification: ['instance', 'volume', 'network-interface']
      .concat(resources.spot ? ['spot-instances-request'] : [])
      .map((type) => tagSpecification(type, tags)),
  };
  return { ...parameters, ClientToken: tokenOf(order, parameters) };
}

function placeOf({ placementGroup, owner }: VmOrder, { reservation }: RunParts): AwsParameters {
  // A reservation is for one tenancy only.
  const tenancy = reservation?.tenancy ?? 'default';
  const place = {
    ...(placementGroup && { GroupName: placementGroupName(owner.server, placementGroup) }),
    ...(tenancy !== 'default' && { Tenancy: tenancy }),
  };
  return Object.keys(place).length === 0 ? {} : { Placement: place };
}

function marketOf({ offer }: VmOrder, { reservation }: RunParts): AwsParameters {
  const { spot } = offer.instance.resources;
  const oneTime = { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' };
  return {
    ...(spot && { InstanceMarketOptions: { MarketType: 'spot', SpotOptions: oneTime } }),
    ...(reservation?.isBlock && { InstanceMarketOptions: { MarketType: 'capacity-block' } }),
    ...(reservation && {
      CapacityReservationSpecification: {
        CapacityReservationTarget: { CapacityReservationId: reservation.id },
      },
    }),
  };
}

function tagsOf(
  { owner, tags, offer }: VmOrder,
  image: BootImage,
  diskGb: number,
  settings: RunSettings,
) {
  const { keyTag = KEY_TAG } = settings;
  const key = tags[KEY_TAG] ?? '';
  const facts = {
    ...{ Name: owner.instance, [VM_TAGS.price]: String(offer.price) },
    ...{ [VM_TAGS.disk]: String(diskGb), [VM_TAGS.user]: image.user },
    [VM_TAGS.network]: settings.isPublic ? 'public' : PRIVATE,
  };
  return validTags(
    ownerTags(owner, key, keyTag),
    facts,
    withoutKeys(settings.tags),
    withoutKeys(tags),
  );
}

/** By these tags lists distinguish machines of fleets and of gateways: users must not give a machine the other one. */
function withoutKeys({
  [KEY_TAG]: _key,
  [GATEWAY_KEY_TAG]: _gatewayKey,
  ...tags
}: Readonly<Record<string, string>>) {
  return tags;
}

/**
 * The same for the same request: EC2 answers a repetition with the first machine. Tags are looked for too, as EC2
 * forgets tokens.
 */
function tokenOf({ name }: VmOrder, parameters: AwsParameters): string {
  const hash = createHash('sha256').update(JSON.stringify(parameters)).digest('hex');
  return `${name}-${hash}`.slice(0, TOKEN_LENGTH);
}
