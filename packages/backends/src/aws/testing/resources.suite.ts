/** Resources of EC2 beside machines: groups, volumes, networks. */
import { describe, expect, it } from 'vitest';
import { SkipOfferError } from '../../base/errors.ts';
import type { GroupOrder } from '../../base/group-port.ts';
import { newOrder, REQUIREMENTS } from '../../base/testing/orders.ts';
import type { AwsSettings } from '../settings.ts';
import { REGION, SETTINGS } from '../testing.ts';
import { type AwsWorld, OLD_S } from './aws-world.ts';

export function describeResources(world: () => AwsWorld): void {
  it('claims of a server are kept in the account, replaced, and read by others', async () => {
    const ours = { server: '5f0c6c1e-6e0c-4d5a-9a58-0b8a4f1f1f11' };
    await world().backend.claims?.renew(ours, { claimant: 'one', nonce: 'n-1' });
    await world().backend.claims?.renew(ours, { claimant: 'one', nonce: 'n-2' });
    await world().backendWith().claims?.renew(ours, { claimant: 'two', nonce: 'n-3' });
    const seen = await world()
      .backendWith({ regions: ['us-east-2'] })
      .claims?.read(ours);
    expect(seen?.map(({ claimant, nonce }) => `${claimant} ${nonce}`).sort()).toEqual([
      ...['one n-2', 'two n-3'],
    ]);
  });

  describe('a placement group', () => {
    it('has a name of this server, and takes no machine that EC2 would refuse', async () => {
      const owner = { ...newOrder(null).owner, instance: '' };
      const group: GroupOrder = {
        ...{ key: 'group.create:1:0', name: 'main-pool-1', region: REGION },
        kind: 'placement',
        ...{ size: null, offer: null, owner },
      };
      const handle = await world().backend.groups?.create(group);
      expect(handle?.id).toMatch(/^main-pool-1-[0-9a-f]{12}$/);
      const second = { ...group, key: 'group.create:2:0', owner: { ...owner, server: 'another' } };
      const other = await world().backend.groups?.create(second);
      expect(other?.id).not.toBe(handle?.id);
      const wanted = { placementGroup: group.name };
      const error = await world().failure(await world().order(wanted));
      expect(error).toBeInstanceOf(SkipOfferError);
      expect(error.message).toBe('AWS puts no t3.small into a placement group');
      const { offers: all } = await world().backend.offers(REQUIREMENTS.met);
      const offer = all.find(({ instance }) => instance.name === 'm5.large') ?? null;
      await world().create(await world().order({ ...wanted, offer }));
      expect(world().orders().at(-1)?.fields['Placement.GroupName']).toBe(handle?.id);
    });

    it('has machines with interfaces of EFA, on all cards where they have no public address', async () => {
      const owner = { ...newOrder(null).owner, instance: '' };
      await world().backend.groups?.create({
        ...{ key: 'group.create:1:0', name: 'gpus', region: REGION, kind: 'placement' },
        ...{ size: null, offer: null, owner },
      });
      const [offer = null] = await world().offers({ gpu: 'H100' });
      const cards = async (placementGroup: string | null, of = world().backend) => {
        // Moto has no machine with so many cards: the order itself is what counts.
        await world().failure(await world().order({ offer, placementGroup }), of);
        const { fields = {} } = world().orders().at(-1) ?? {};
        return Object.entries(fields).filter(([name]) => name.endsWith('.InterfaceType'));
      };
      expect(await cards(null)).toEqual([]);
      expect(await cards('gpus')).toEqual([['NetworkInterface.1.InterfaceType', 'efa']]);
      const gateway = await world().aws.ask(REGION, 'DescribeRouteTables');
      const table = /<routeTableId>([^<]*)/.exec(gateway)?.[1] ?? '';
      const subnet = await world().aws.ask(REGION, 'DescribeSubnets');
      const nat = await world().aws.ask(REGION, 'CreateNatGateway', {
        SubnetId: /<subnetId>([^<]*)/.exec(subnet)?.[1] ?? '',
      });
      const NatGatewayId = /<natGatewayId>([^<]*)/.exec(nat)?.[1] ?? '';
      const toNat = { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', NatGatewayId };
      await world().aws.ask(REGION, 'ReplaceRoute', toNat);
      const isPrivate = world().backendWith({ network: { ...SETTINGS.network, isPublic: false } });
      expect(await cards('gpus', isPrivate)).toHaveLength(32);
    });
  });

  describe('a volume', () => {
    it('is attached where Linux finds it, and its price is that of its size', async () => {
      const owner = { ...newOrder(null).owner, fleet: '', instance: 'data' };
      const volume = await world().backend.volumes?.create({
        ...{ key: 'volume.create:1:0', volumeId: 'v', name: 'data', owner, region: REGION },
        ...{ availabilityZone: 'us-east-1b', sizeGib: 50, tags: {}, directory: null },
      });
      if (!volume) throw new Error('it was not created');
      expect(await world().backend.volumes?.observe(volume)).toEqual({
        ...{ state: 'ready', sizeGib: 50, usedGib: null, price: 4, shared: false },
        availabilityZone: 'us-east-1b',
      });
      const given = await world().order();
      const offer = given.offer && { ...given.offer, availability_zones: ['us-east-1b'] };
      const machine = await world().create({ ...given, offer, volumes: [volume] });
      world().clock.advance(OLD_S);
      expect(await world().backend.volumes?.attach(volume, machine)).toMatchObject({
        state: 'pending',
      });
      expect(await world().backend.volumes?.attach(volume, machine)).toEqual({
        state: 'attached',
        device: `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume.id.replace('-', '')}`,
      });
      const elsewhere = await world().create(await world().order({ offer }));
      await expect(world().backend.volumes?.attach(volume, elsewhere)).rejects.toThrow(
        'is attached to',
      );
      const seen = await world().backend.instances?.observe(machine, { facts: null });
      expect(seen).toMatchObject({
        machine: { provisioningData: { availability_zone: 'us-east-1b' } },
      });
    });
  });

  describe('the network of a region', () => {
    it('is refused with what is missing in it', async () => {
      const isPrivate = { ...SETTINGS.network, isPublic: false };
      const text = async (settings: Partial<AwsSettings>) =>
        (await world().failure(await world().order(), world().backendWith(settings))).message;
      expect(await text({ network: isPrivate })).toBe(
        `AWS: no private subnets in the default VPC in region ${REGION}: none has a default route through a NAT gateway, a transit gateway or a peering`,
      );
      expect(await text({ network: { ...SETTINGS.network, vpcName: 'lab' } })).toBe(
        `AWS: no VPC named lab in region ${REGION}`,
      );
      expect(await text({ vpcIds: { [REGION]: 'vpc-00000000000000001' } })).toContain(
        'vpc-00000000000000001',
      );
    });

    it('has one security group for each project, also when it is asked for twice at once', async () => {
      const project = (name: string) => async () => {
        const given = await world().order();
        return await world().create(
          { ...given, owner: { ...given.owner, project: name } },
          world().backendWith(),
        );
      };
      await Promise.all([project('a-b')(), project('a-b')()]);
      const groups = await world().aws.ask(REGION, 'DescribeSecurityGroups');
      expect(groups.match(/<groupName>dstack-security-group-a-b<\/groupName>/g)).toHaveLength(1);
      expect(groups.match(/<fromPort>22<\/fromPort>/g)).toHaveLength(1);
      await project('a_b')();
      const both = await world().aws.ask(REGION, 'DescribeSecurityGroups');
      expect(both.match(/<groupName>dstack-security-group-[^<]*/g)).toHaveLength(2);
    });
  });
}
