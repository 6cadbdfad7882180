/** The calls of EC2 that this adapter makes, in one region. */
import type { AwsClient } from './aws-client.ts';
import type { AwsParameters } from './form.ts';
import { awsPages } from './pages.ts';
import type { XmlNode } from './xml.ts';

export interface Ec2Instance {
  readonly id: string;
  readonly type: string;
  /** Such as `running`. */
  readonly state: string;
  /** Why it changed its state, such as `Server.SpotInstanceTermination`; null = EC2 does not say. */
  readonly reason: { readonly code: string; readonly message: string } | null;
  readonly zone: string | null;
  readonly isSpot: boolean;
  readonly isArm: boolean;
  readonly address: string | null;
  readonly privateAddress: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

export interface Ec2Image {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly rootDevice: string;
  /** GB. */
  readonly rootSize: number;
}

export interface Ec2Subnet {
  readonly id: string;
  readonly zone: string;
}

export interface Ec2RouteTable {
  readonly isMain: boolean;
  readonly subnets: readonly string[];
  readonly routes: readonly Ec2Route[];
}

export interface Ec2Route {
  readonly to: string | null;
  readonly gateway: string | null;
  /** Through a NAT gateway, a transit gateway or a peering of networks. */
  readonly isPrivate: boolean;
}

export interface Ec2Volume {
  readonly id: string;
  /** Such as `available`. */
  readonly state: string;
  readonly sizeGib: number | null;
  readonly zone: string | null;
  readonly iops: number | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly attachments: readonly {
    readonly instance: string;
    readonly device: string | null;
    /** Such as `attaching`. */
    readonly state: string;
  }[];
}

export interface Ec2PlacementGroup {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A capacity reservation or a capacity block. */
export interface ReservedCapacity {
  readonly id: string;
  readonly region: string;
  /** Such as `p5.48xlarge`. */
  readonly type: string;
  readonly zone: string;
  /** Such as `default` or `dedicated`. */
  readonly tenancy: string;
  /** Bought for a time, and ordered like a market of its own. */
  readonly isBlock: boolean;
  readonly available: number;
}

export interface SpotPrice {
  readonly type: string;
  readonly zone: string;
  /** USD per hour. */
  readonly price: number;
  /** When it began, in the form of ISO 8601. */
  readonly since: string;
}

export interface Ec2SecurityGroup {
  readonly id: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type Ec2Filters = Readonly<Record<string, readonly string[]>>;

const PAGE = 1000;
const VOLUME_PAGE = 500;
/** The limit of values in one filter. */
const MOST_VALUES = 200;

export class Ec2 {
  readonly region: string;
  readonly #client: AwsClient;

  constructor(client: AwsClient, region: string) {
    this.#client = client;
    this.region = region;
  }

  /** Also those that ended within the last hour. */
  async instances(filters: Ec2Filters): Promise<readonly Ec2Instance[]> {
    const pages = await this.pages('DescribeInstances', { MaxResults: PAGE }, filters);
    return pages.flatMap((page) =>
      page
        .items('reservationSet')
        .flatMap((reservation) => reservation.items('instancesSet').map(instanceOf)),
    );
  }

  /** Asks once, and returns the id. */
  async run(parameters: AwsParameters, signal?: AbortSignal): Promise<string | null> {
    const answer = await this.#client.xml({
      ...{ service: 'ec2', region: this.region, action: 'RunInstances', parameters },
      ...{ kind: 'create', signal },
    });
    return answer.items('instancesSet')[0]?.text('instanceId') ?? null;
  }

  /** The state in which it was before; null = EC2 does not say. */
  async terminate(id: string): Promise<string | null> {
    const answer = await this.#client.xml({
      ...{ service: 'ec2', region: this.region, action: 'TerminateInstances', kind: 'end' },
      parameters: { InstanceId: [id] },
    });
    return answer.items('instancesSet')[0]?.text('previousState', 'name') ?? null;
  }

  async images(owner: string, filters: Ec2Filters): Promise<readonly Ec2Image[]> {
    const pages = await this.pages('DescribeImages', { Owner: [owner] }, filters);
    return pages.flatMap((page) => page.items('imagesSet').map(imageOf));
  }

  async vpcs(filters: Ec2Filters): Promise<readonly string[]> {
    const pages = await this.pages('DescribeVpcs', {}, filters);
    return pages.flatMap((page) => page.items('vpcSet').map((vpc) => vpc.text('vpcId') ?? ''));
  }

  async subnets(vpc: string): Promise<readonly Ec2Subnet[]> {
    const pages = await this.pages(
      'DescribeSubnets',
      {},
      { 'vpc-id': [vpc], state: ['available'] },
    );
    return pages.flatMap((page) =>
      page.items('subnetSet').map((subnet) => ({
        id: subnet.text('subnetId') ?? '',
        zone: subnet.text('availabilityZone') ?? '',
      })),
    );
  }

  async routeTables(vpc: string): Promise<readonly Ec2RouteTable[]> {
    const pages = await this.pages('DescribeRouteTables', {}, { 'vpc-id': [vpc] });
    return pages.flatMap((page) => page.items('routeTableSet').map(routeTableOf));
  }

  /** Those of a VPC with one of the names. */
  async securityGroups(
    vpc: string,
    names: readonly string[],
  ): Promise<readonly Ec2SecurityGroup[]> {
    const filters = { 'vpc-id': [vpc], 'group-name': names };
    const pages = await this.pages('DescribeSecurityGroups', {}, filters);
    return pages.flatMap((page) =>
      page.items('securityGroupInfo').flatMap((group) => {
        const id = group.text('groupId');
        return id === null ? [] : { id, name: group.text('groupName') ?? '', tags: tagsOf(group) };
      }),
    );
  }

  /** `ids`: throws `MissingThingError` if one of them is unknown. */
  async volumes(filters: Ec2Filters, ids: readonly string[] = []): Promise<readonly Ec2Volume[]> {
    const fixed = ids.length > 0 ? { VolumeId: ids } : { MaxResults: VOLUME_PAGE };
    const pages = await this.pages('DescribeVolumes', fixed, filters);
    return pages.flatMap((page) => page.items('volumeSet').map(volumeOf));
  }

  /** Also those that are being deleted. */
  async placementGroups(): Promise<readonly Ec2PlacementGroup[]> {
    const [page] = await this.pages('DescribePlacementGroups', {}, {});
    return (page?.items('placementGroupSet') ?? []).map((group) => ({
      ...{ name: group.text('groupName') ?? '', tags: tagsOf(group) },
    }));
  }

  /**
   * The active capacity reservation with this id; null = it is not active. Refused with a code of its own if there
   * is none in this region.
   */
  async reservation(id: string): Promise<ReservedCapacity | null> {
    const pages = await this.pages(
      'DescribeCapacityReservations',
      { CapacityReservationId: [id] },
      { state: ['active'] },
    );
    const [item] = pages.flatMap((page) => page.items('capacityReservationSet'));
    if (item === undefined || item.text('state') !== 'active') return null;
    return {
      ...{ id, region: this.region, type: item.text('instanceType') ?? '' },
      zone: item.text('availabilityZone') ?? '',
      tenancy: item.text('tenancy') ?? 'default',
      isBlock: item.text('reservationType') === 'capacity-block',
      available: item.number('availableInstanceCount') ?? 0,
    };
  }

  /** How many interfaces of EFA a machine of the type can have; 0 = none. */
  async efaInterfaces(type: string): Promise<number> {
    const pages = await this.pages('DescribeInstanceTypes', { InstanceType: [type] }, {});
    const [item] = pages.flatMap((page) => page.items('instanceTypeSet'));
    if (item?.text('networkInfo', 'efaSupported') !== 'true') return 0;
    return item.number('networkInfo', 'efaInfo', 'maximumEfaInterfaces') ?? 1;
  }

  /** The prices of spot machines in force at a time, and maybe older ones. */
  async spotPrices(types: readonly string[], at: Date): Promise<readonly SpotPrice[]> {
    const prices: SpotPrice[] = [];
    for (let from = 0; from < types.length; from += MOST_VALUES) {
      const pages = await this.pages(
        'DescribeSpotPriceHistory',
        {
          ...{ StartTime: at.toISOString(), MaxResults: PAGE },
          ProductDescription: ['Linux/UNIX'],
          InstanceType: types.slice(from, from + MOST_VALUES),
        },
        {},
      );
      prices.push(...pages.flatMap((page) => page.items('spotPriceHistorySet').flatMap(priceOf)));
    }
    return prices;
  }

  /** A change of anything but machines. */
  async change(action: string, parameters: AwsParameters): Promise<XmlNode> {
    const { region } = this;
    return await this.#client.xml({ service: 'ec2', region, action, parameters, kind: 'create' });
  }

  /** The zones in which types are sold, by type. */
  async zonesOf(types: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const zones = new Map<string, string[]>();
    for (let at = 0; at < types.length; at += MOST_VALUES) {
      const filters = { 'instance-type': types.slice(at, at + MOST_VALUES) };
      const fixed = { LocationType: 'availability-zone', MaxResults: PAGE };
      const pages = await this.pages('DescribeInstanceTypeOfferings', fixed, filters);
      for (const item of pages.flatMap((page) => page.items('instanceTypeOfferingSet'))) {
        const [type, zone] = [item.text('instanceType'), item.text('location')];
        if (type !== null && zone !== null) zones.set(type, [...(zones.get(type) ?? []), zone]);
      }
    }
    return zones;
  }

  /** All pages of an answer. */
  async pages(
    action: string,
    fixed: AwsParameters,
    filters: Ec2Filters,
  ): Promise<readonly XmlNode[]> {
    const Filter = Object.entries(filters).map(([Name, Value]) => ({ Name, Value }));
    return await awsPages(action, async (NextToken) => {
      const page = await this.#client.xml({
        ...{ service: 'ec2', region: this.region, action, kind: 'look' },
        parameters: { ...fixed, Filter, NextToken },
      });
      return { page, next: page.text('nextToken') };
    });
  }
}

function instanceOf(item: XmlNode): Ec2Instance {
  const code = item.text('stateReason', 'code');
  return {
    id: item.text('instanceId') ?? '',
    type: item.text('instanceType') ?? '',
    state: item.text('instanceState', 'name') ?? '',
    reason: code === null ? null : { code, message: item.text('stateReason', 'message') ?? code },
    zone: item.text('placement', 'availabilityZone'),
    isSpot: item.text('instanceLifecycle') === 'spot',
    isArm: item.text('architecture') === 'arm64',
    address: item.text('ipAddress'),
    privateAddress: item.text('privateIpAddress'),
    tags: tagsOf(item),
  };
}

function priceOf(item: XmlNode): readonly SpotPrice[] {
  const [type, zone] = [item.text('instanceType'), item.text('availabilityZone')];
  const price = item.number('spotPrice');
  if (type === null || zone === null || price === null || price <= 0) return [];
  return [{ type, zone, price, since: item.text('timestamp') ?? '' }];
}

function volumeOf(item: XmlNode): Ec2Volume {
  return {
    id: item.text('volumeId') ?? '',
    state: item.text('status') ?? '',
    sizeGib: item.number('size'),
    zone: item.text('availabilityZone'),
    iops: item.number('iops'),
    tags: tagsOf(item),
    attachments: item.items('attachmentSet').map((attachment) => ({
      instance: attachment.text('instanceId') ?? '',
      device: attachment.text('device'),
      state: attachment.text('status') ?? '',
    })),
  };
}

/** Returns the tags of any resource. */
export function tagsOf(item: XmlNode): Readonly<Record<string, string>> {
  return Object.fromEntries(
    item.items('tagSet').map((tag) => [tag.text('key') ?? '', tag.text('value') ?? '']),
  );
}

function imageOf(item: XmlNode): Ec2Image {
  const rootDevice = item.text('rootDeviceName') ?? '/dev/sda1';
  const root = item
    .items('blockDeviceMapping')
    .find((device) => device.text('deviceName') === rootDevice);
  return {
    id: item.text('imageId') ?? '',
    name: item.text('name') ?? '',
    createdAt: item.text('creationDate') ?? '',
    rootDevice,
    rootSize: root?.number('ebs', 'volumeSize') ?? 0,
  };
}

function routeTableOf(item: XmlNode): Ec2RouteTable {
  const associations = item.items('associationSet');
  return {
    isMain: associations.some((one) => one.text('main') === 'true'),
    subnets: associations.flatMap((one) => one.text('subnetId') ?? []),
    routes: item.items('routeSet').map((route) => ({
      to: route.text('destinationCidrBlock'),
      gateway: route.text('gatewayId'),
      isPrivate: ['natGatewayId', 'transitGatewayId', 'vpcPeeringConnectionId'].some(
        (name) => route.text(name) !== null,
      ),
    })),
  };
}
