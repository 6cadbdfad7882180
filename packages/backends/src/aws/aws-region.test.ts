import { expect, it } from 'vitest';
import { BackendError } from '../base/errors.ts';
import { newOrder } from '../base/testing/orders.ts';
import { AwsRegion, type AwsRegionOptions } from './aws-region.ts';
import type { AwsParameters } from './form.ts';
import { withCode } from './refusals.ts';
import { REGION } from './testing.ts';

const ZONE = `${REGION}a`;

/** The parts of a region with one subnet. `efa`: EC2's answer about the type. */
function regionWith(efa: () => Promise<number>) {
  const sent: AwsParameters[] = [];
  const ec2 = {
    region: REGION,
    efaInterfaces: efa,
    run: async (parameters: AwsParameters) => {
      sent.push(parameters);
      return 'i-1';
    },
  };
  const image = { id: 'ami-1', rootDevice: '/dev/sda1', rootSize: 8, user: 'ubuntu' };
  const region = new AwsRegion({
    ...{ isPublic: false, profile: null, tags: {}, sizes: () => null },
    ec2,
    images: { of: async () => image, forget: () => {} },
    networks: {
      network: async () => ({ vpc: 'vpc-1', subnets: [{ id: 'subnet-1', zone: ZONE }] }),
      group: async () => 'sg-1',
      forget: () => {},
    },
  } as unknown as AwsRegionOptions);
  return { region, sent };
}

function clusterOrder() {
  const instance = {
    name: 'p4d.24xlarge',
    resources: { spot: false, disk: { size_mib: 102_400 }, gpus: [], cpus: 96 },
  };
  const offer = { region: REGION, availability_zones: [ZONE], instance, price: 1 };
  const { owner } = newOrder(null);
  const order = { name: 'dstack-1', offer, owner, tags: {}, userData: '', placementGroup: 'gpus' };
  return order as unknown as Parameters<AwsRegion['create']>[0];
}

it('machines of a cluster are ordered without EFA by a key that may not ask for it', async () => {
  const denied = withCode(new BackendError('not allowed'), 'UnauthorizedOperation');
  const { region, sent } = regionWith(async () => Promise.reject(denied));
  await region.prepare(clusterOrder());
  expect(await region.create(clusterOrder())).toBe('i-1');
  expect(sent[0]?.NetworkInterface).toHaveLength(1);
});

it('a type is asked about EFA once', async () => {
  let asked = 0;
  const { region, sent } = regionWith(async () => {
    asked += 1;
    return 4;
  });
  await region.prepare(clusterOrder());
  await region.create(clusterOrder());
  expect(sent[0]?.NetworkInterface).toHaveLength(4);
  expect(asked).toBe(1);
});

it('an order waits for EC2 to answer about EFA', async () => {
  const { region } = regionWith(async () => Promise.reject(new BackendError('no answer')));
  await expect(region.prepare(clusterOrder())).rejects.toThrow('no answer');
});
