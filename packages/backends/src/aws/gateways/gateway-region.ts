/** The parts of a region that gateways need. */
import type { Offer } from '@dstack/core';
import type { GatewayRegion, GatewayVmKind } from '../../base/rest-vm/gateways/gateway-parts.ts';
import { gatewayWay } from '../../base/rest-vm/gateways/gateway-way.ts';
import { VmInstances } from '../../base/rest-vm/instances.ts';
import type { CallPace } from '../../base/rest-vm/pace.ts';
import type { AwsAccount } from '../aws-account.ts';
import type { Ec2 } from '../ec2.ts';
import { Images } from '../images.ts';
import { Networks } from '../networks.ts';
import { isDenied } from '../refusals.ts';
import type { AwsSettings } from '../settings.ts';
import { Addresses } from './addresses.ts';
import { Balancers } from './balancers.ts';
import { Elb } from './elb.ts';
import { GatewayCloud } from './gateway-cloud.ts';

/** Types with processors of ARM, such as t4g and m7gd. */
const ARM = /^(a1|[a-z]+\d+[a-fh-z]*g[a-z]*)\./;

const KIND: GatewayVmKind = {
  ...{ backend: 'aws', title: 'AWS', defaultType: 't3.micro', running: 'running' },
  ...{ isArm: (type) => ARM.test(type), isDenied },
};

export interface GatewayRegionOptions {
  readonly account: AwsAccount;
  readonly settings: Pick<AwsSettings, 'network' | 'vpcIds' | 'tags'>;
  /** Host keys are derived from it. */
  readonly secret: string;
  readonly pace: CallPace;
  readonly ec2: Ec2;
  /** Sizes of a type by the catalogue; null = it is not listed. */
  readonly sizes: (type: string) => Offer['instance'] | null;
}

export function gatewayRegion(options: GatewayRegionOptions): GatewayRegion {
  const { account, settings, secret, pace, ec2, sizes } = options;
  const { network, vpcIds, tags } = settings;
  const { region } = ec2;
  const steady = () => pace.now();
  const networkOf = (isPublic: boolean) =>
    new Networks(ec2, { ...network, vpcId: vpcIds[region] ?? null, isPublic }, steady);
  const [open, closed] = [networkOf(true), networkOf(false)];
  const networks = (isPublic: boolean) => (isPublic ? open : closed);
  // The images of the configuration are for jobs.
  const images = new Images(ec2, null, steady);
  const cloud = new GatewayCloud({ ec2, networks, images, tags, sizes });
  const all = account.regionOf(region).gatewayVms;
  const instances = new VmInstances({
    ...{ cloud, way: gatewayWay(cloud, secret), pace },
    // They have no price that anything depends on.
    offers: { priceOf: async () => null, refused: () => {} },
    account: all,
  });
  const list = () => cloud.list();
  return {
    ...{ region, kind: KIND, instances, sizes },
    vms: {
      shared: () => all.shared(list),
      fresh: () => all.fresh(list),
      changed: () => all.changed(),
    },
    addresses: new Addresses({ ec2, tags, now: steady }),
    balancers: new Balancers({ elb: new Elb(account.client, region), networks, tags }),
    zones: async (isPublic) => {
      const { subnets } = await networks(isPublic).network();
      return subnets.map(({ zone }) => zone);
    },
  };
}
