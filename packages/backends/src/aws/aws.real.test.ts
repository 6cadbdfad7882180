import { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import {
  type Aws,
  type ManualClock,
  type Moto,
  manualClock,
  startAws,
} from '@dstack/testkit/cloud';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CredentialsError, NoCapacityError, QuotaError, SkipOfferError } from '../base/errors.ts';
import type { GroupOrder } from '../base/group-port.ts';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { Backend } from '../base/port.ts';
import { hostKeyOf } from '../base/rest-vm/host-keys.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import type { AwsCredentials } from './aws-client.ts';
import { ELB_PERMISSIONS, policyDocument } from './permissions.ts';
import type { AwsSettings } from './settings.ts';
import { awsAt, motoAtHand, REGION, SETTINGS } from './testing.ts';

const at = motoAtHand('The adapter of AWS');
const OLD_S = 60;
const LEASE_NOTE = 'its idle machines end by themselves after 2h without the server';

describe.skipIf(at.environment === null)('AWS', () => {
  let moto: Moto;
  let aws: Aws;
  let clock: ManualClock;
  let backend: Backend;
  beforeAll(async () => {
    moto = await at.start();
  });
  afterAll(() => moto?.close());
  beforeEach(async () => {
    clock = manualClock();
    aws = await startAws(at.environment ?? '', { moto, clock, regions: [REGION, 'us-east-2'] });
    backend = backendWith();
  });
  afterEach(() => aws.close());

  const backendWith = (settings: Partial<AwsSettings> = {}, keys?: AwsCredentials): Backend =>
    awsAt({ aws, pace: passingPace(clock), settings, ...(keys && { keys }) });
  const offers = async (resources: object = {}, of = backend) =>
    (await of.offers(Requirements.parse({ resources }))).offers;

  async function order(change: Partial<InstanceOrder> = {}, of = backend): Promise<InstanceOrder> {
    const [offer = null] = (await of.offers(REQUIREMENTS.met)).offers;
    return { ...newOrder(offer), authorizedKeys: ['ssh-ed25519 AAAAC3Nz main\n'], ...change };
  }
  const create = async (given: InstanceOrder, of = backend) => {
    const created = await of.instances?.create(given);
    if (!created) throw new Error('it was not created');
    return created.handle;
  };
  const failure = async (given: InstanceOrder, of = backend) =>
    (await create(given, of).catch((error: unknown) => error)) as Error;
  const orders = () => aws.log.filter(({ action }) => action === 'RunInstances');

  describe('offers', () => {
    it('are the types of the catalogue in the zones where EC2 sells them, with the disk that is asked for', async () => {
      const [offer] = await offers({ gpu: 'A10G', disk: '250GB..' });
      expect(offer).toMatchObject({
        ...{ backend: 'aws', region: REGION, price: 0.42, availability: 'unknown' },
        availability_zones: expect.arrayContaining(['us-east-1a', 'us-east-1b']),
        instance: { name: 'g5.xlarge', resources: { spot: true, disk: { size_mib: 250 * 1024 } } },
      });
      expect(await offers({ disk: '..50GB' })).toEqual([]);
      // The catalogue lists it, but it is of no family of dstack's.
      expect((await offers({ cpu: 'arm:1..' })).map(({ instance }) => instance.name)).toEqual([]);
      const experimental = backendWith({ experimental: ['m7g.large'] });
      expect((await offers({ cpu: 'arm:1..' }, experimental))[0]?.instance.name).toBe('m7g.large');
    });

    it('without quota say how much is missing', async () => {
      aws.setQuota('L-DB2E81BA', 0);
      aws.setQuota('L-3819A6DF', 4);
      const { offers: found, notes } = await backend.offers(
        Requirements.parse({ resources: { gpu: 'A10G' } }),
      );
      const seen = found.map(({ instance, availability }) => [
        instance.resources.spot,
        availability,
      ]);
      expect(seen).toEqual([
        [true, 'unknown'],
        [false, 'no_quota'],
      ]);
      expect(notes).toEqual([`no quota: 4 vCPU of G in ${REGION}, limit 0`, LEASE_NOTE]);
    });
  });

  describe('a machine', () => {
    it('is ordered by one call, with tags on all of its parts', async () => {
      const given = await order({ tags: { team: 'ml', 'aws:x': 'refused', Name: 'mine' } });
      const { id, data } = await create(given, backendWith({ tags: { team: 'infra' } }));
      expect(JSON.parse(data ?? '')).toEqual({ region: REGION });
      const [{ fields } = { fields: {} }] = orders();
      const text = (name: string) => (fields as Readonly<Record<string, string>>)[name];
      expect(text('BlockDeviceMapping.1.Ebs.VolumeSize')).toBe('100');
      expect(text('NetworkInterface.1.AssociatePublicIpAddress')).toBe('true');
      expect(text('ClientToken')).toMatch(/^dstack-[0-9a-f]{20}-[0-9a-f]{36}$/);
      const kinds = [1, 2, 3, 4].map((at) => text(`TagSpecification.${at}.ResourceType`));
      const spot = 'spot-instances-request';
      expect(kinds).toEqual(['instance', 'volume', 'network-interface', spot]);
      const seen = await aws.ask(REGION, 'DescribeInstances', { 'InstanceId.1': id });
      const tags = [...seen.matchAll(/<key>([^<]*)<\/key><value>([^<]*)<\/value>/g)];
      expect(Object.fromEntries(tags.map(([, key, value]) => [key, value]))).toEqual({
        'dstack-server': given.owner.server,
        'dstack-project': 'main',
        'dstack-fleet': 'pool',
        'dstack-instance': given.owner.instance,
        'dstack-key': given.key,
        Name: given.owner.instance,
        'dstack-price': String(given.offer?.price),
        'dstack-disk-gb': '100',
        'dstack-user': 'ubuntu',
        'dstack-network': 'public',
        team: 'infra',
      });
      const data64 = text('UserData') ?? '';
      const userData = Buffer.from(data64, 'base64').toString().replace('#cloud-config\n', '');
      expect(JSON.parse(userData).ssh_keys.ed25519_public).toBe(
        hostKeyOf('secret', given.key).publicKey,
      );
    });

    it('on demand ends when it is shut down from inside', async () => {
      const { offers: all } = await backend.offers(REQUIREMENTS.met);
      const offer = all.find(({ instance }) => !instance.resources.spot) ?? null;
      await create(await order({ offer }));
      expect(orders()[0]?.fields).toMatchObject({ InstanceInitiatedShutdownBehavior: 'terminate' });
      expect(orders()[0]?.fields['InstanceMarketOptions.MarketType']).toBeUndefined();
    });

    it('boots from the newest image of its kind, and lets its user in', async () => {
      const gpu = (await offers({ gpu: 'A10G' }))[0] ?? null;
      await create(await order());
      await create(await order({ offer: gpu }));
      const stock = orders().map(({ fields }) => fields.ImageId);
      expect(stock).toEqual(['ami-00000000000000025', 'ami-00000000000000070']);
      const cpu = { name: 'dstack-0.14', owner: '142421590066', user: 'ada' };
      const own = backendWith({ images: { cpu, nvidia: null } });
      const handle = await create(await order(), own);
      expect(orders().at(-1)?.fields.ImageId).toBe('ami-00000000000000014');
      clock.advance(OLD_S);
      expect(await own.instances?.observe(handle, { facts: null })).toMatchObject({
        state: 'ready',
        machine: { provisioningData: { username: 'ada' } },
        access: { kind: 'ssh', user: 'ada' },
      });
      const error = await failure(await order({ offer: gpu }), own);
      expect(error).toBeInstanceOf(SkipOfferError);
      expect(error.message).toContain('no image for nvidia machines');
    });

    it('gets the next zone where one has no capacity, and the offer is sold out when none has', async () => {
      const given = await order();
      const { instance, availability_zones: zones } = given.offer as Offer;
      aws.sellOut(instance.name, 'us-east-1a');
      await create(given);
      expect(orders().map(({ status }) => status)).toEqual([500, 200]);
      for (const zone of zones ?? []) aws.sellOut(instance.name, zone);
      const error = await failure(await order());
      expect(error).toBeInstanceOf(NoCapacityError);
      expect(error.message).toContain('We currently do not have sufficient');
      const { offers: found } = await backend.offers(REQUIREMENTS.met);
      expect(
        found.find((one) => one.instance.name === instance.name && one.region === REGION),
      ).toMatchObject({ availability: 'not_available' });
    });

    it('that EC2 accepts and then has none left for is reported so, and its zone is left alone for a minute', async () => {
      const given = await order();
      const { instance, availability_zones: zones = [] } = given.offer as Offer;
      const zonesAsked = async () => {
        const subnets = orders().map(({ fields }) => fields['NetworkInterface.1.SubnetId'] ?? '');
        const texts = subnets.map((id) => aws.ask(REGION, 'DescribeSubnets', { 'SubnetId.1': id }));
        return (await Promise.all(texts)).map(
          (text) => /<availabilityZone>([^<]*)/.exec(text)?.[1],
        );
      };
      const handle = await create(given);
      await aws.failLate(handle.id);
      const seen = {
        ...{ state: 'interrupted', reason: 'no-room' },
        text: 'AWS: Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request',
      };
      expect(await backend.instances?.observe(handle, { facts: null })).toEqual(seen);
      await create(await order());
      expect(await zonesAsked()).toEqual(zones?.slice(0, 2));
      // Repeated observations of the failed machine do not begin the minute anew.
      clock.advance(OLD_S - 1);
      await backend.instances?.observe(handle, { facts: null });
      clock.advance(2);
      await create(await order());
      expect((await zonesAsked()).at(-1)).toBe(zones?.[0]);
      for (const zone of zones ?? []) aws.sellOut(instance.name, zone);
      await failure(await order());
      const before = orders().length;
      expect(await failure(await order())).toBeInstanceOf(NoCapacityError);
      expect(orders()).toHaveLength(before);
    });

    it('over the quota is refused with the quota in the text, and asked for in no other zone', async () => {
      const given = await order();
      aws.faults.set({ quota: 0 });
      const error = await failure(given);
      expect(error).toBeInstanceOf(QuotaError);
      expect(error.message).toMatch(
        /^no quota: 2 vCPU of Standard spot in us-east-1: AWS: You have requested more vCPU/,
      );
      expect(orders()).toHaveLength(1);
    });

    it('that is reclaimed is reported as AWS spells it', async () => {
      const handle = await create(await order());
      await aws.interrupt(handle.id);
      expect(await backend.instances?.observe(handle, { facts: null })).toEqual({
        ...{ state: 'interrupted', reason: 'spot' },
        text: 'AWS: Server.SpotInstanceTermination: Spot instance termination',
      });
      // EC2 lists it for an hour, and it costs nothing any more.
      expect(await backend.instances?.release(handle)).toBe('released');
      expect(await backend.instances?.list({ server: newOrder(null).owner.server })).toEqual([]);
    });

    it('that shuts itself down ends, and is reported as AWS spells it', async () => {
      const off: (() => void)[] = [];
      await aws.close();
      aws = await startAws(at.environment ?? '', {
        ...{ moto, clock, regions: [REGION] },
        hosts: {
          boot: async ({ onPowerOff }) => {
            if (onPowerOff) off.push(onPowerOff);
            return '10.0.0.1';
          },
          ...{ end: async () => {}, reboot: async () => {} },
        },
      });
      backend = backendWith();
      expect(backend.instances?.leaseEnding).toBe('poweroff');
      const { offers: all } = await backend.offers(REQUIREMENTS.met);
      for (const spot of [true, false]) {
        const offer = all.find(({ instance }) => instance.resources.spot === spot) ?? null;
        const handle = await create(await order({ offer }));
        clock.advance(OLD_S);
        off.shift()?.();
        expect(aws.vms()).toEqual([]);
        await expect
          .poll(() => backend.instances?.observe(handle, { facts: null }))
          .toEqual({
            ...{ state: 'interrupted', reason: 'failed' },
            text: 'AWS: terminated: Client.InstanceInitiatedShutdown: Instance initiated shutdown',
          });
        expect(await backend.instances?.release(handle)).toBe('released');
      }
    });

    it('is born with the lease of the server, or without one where it is off', async () => {
      const scriptsOf = () => {
        const data = Buffer.from(orders().at(-1)?.fields.UserData ?? '', 'base64').toString();
        return JSON.stringify(JSON.parse(data.replace('#cloud-config\n', '')).runcmd);
      };
      await create(await order());
      expect(scriptsOf()).toContain('poweroff');
      expect((await backend.offers(REQUIREMENTS.met)).notes).toEqual([LEASE_NOTE]);
      const off = awsAt({ aws, pace: passingPace(clock), leaseSeconds: null });
      await create(await order({}, off), off);
      expect(scriptsOf()).not.toContain('poweroff');
      expect((await off.offers(REQUIREMENTS.met)).notes).toEqual([
        expect.stringMatching(/^it needs a living server: DSTACK_AGENT_LEASE is off/),
      ]);
    });

    it('is followed and ended where it is, although its region is configured no more', async () => {
      const both = backendWith({ regions: [REGION, 'us-east-2'] });
      const offer = (await offers({}, both)).find(({ region }) => region === 'us-east-2') ?? null;
      const handle = await create(await order({ offer }), both);
      clock.advance(OLD_S);
      const ready = await backend.instances?.observe(handle, { facts: null });
      expect(ready).toMatchObject({ state: 'ready' });
      await backend.instances?.release(handle);
      expect(aws.vms()).toEqual([]);
    });

    it('is made once for each order, whatever is lost, late or refused', async () => {
      await backend.offers(REQUIREMENTS.met);
      aws.faults.set({ lost_response: 0.2, eventual_seconds: 10, rate_limit: 0.05, error: 0.05 });
      for (let number = 0; number < 3; number++) {
        const given = await order();
        let answer: unknown = await failure(given);
        for (let times = 0; answer instanceof Error && times < 500; times++) {
          answer = await failure({ ...given, mayExist: true });
        }
        expect(answer).not.toBeInstanceOf(Error);
      }
      expect(aws.vms()).toHaveLength(3);
    });
  });

  describe('a region', () => {
    it('that does not answer has no offers, with a note, and delays no machine of another one', async () => {
      const both = backendWith({ regions: [REGION, 'us-east-2'] });
      const handle = await create(await order({}, both), both);
      clock.advance(OLD_S);
      aws.silence('us-east-2');
      const later = backendWith({ regions: [REGION, 'us-east-2'] });
      const { offers: found, notes } = await later.offers(REQUIREMENTS.met);
      expect(new Set(found.map(({ region }) => region))).toEqual(new Set([REGION]));
      const left = expect.stringMatching(/^offers of us-east-2 are left out: AWS: no/);
      expect(notes).toEqual([left, LEASE_NOTE]);
      expect(await both.instances?.observe(handle, { facts: null })).toMatchObject({
        state: 'ready',
      });
      await expect(both.instances?.list({ server: 'x' })).rejects.toThrow('no answer');
    });
  });

  describe('a reservation', () => {
    const ID = 'cr-0123456789abcdef0';
    const BLOCK = 'cr-0123456789abcdef1';
    const ask = (id: string, of = backend) =>
      of.offers(Requirements.parse({ resources: {}, reservation: id }));
    const orderIn = async (id: string, of = backend) => {
      const [offer = null] = (await ask(id, of)).offers;
      return await order({ offer, reservation: id }, of);
    };

    it('has offers of its type in its zone, and takes machines until it is used up', async () => {
      const both = backendWith({ regions: [REGION, 'us-east-2'] });
      aws.reserve({ id: ID, region: 'us-east-2', type: 'm5.large', zone: 'us-east-2b', count: 1 });
      aws.setQuota('L-1216C47A', 0);
      const { offers: found, notes } = await ask(ID, both);
      expect(found).toMatchObject([
        {
          ...{ region: 'us-east-2', availability: 'available', price: 0.096 },
          ...{ availability_zones: ['us-east-2b'], instance: { name: 'm5.large' } },
        },
      ]);
      expect(found[0]?.instance.resources.spot).toBe(false);
      expect(notes).toEqual([LEASE_NOTE]);
      const given = await orderIn(ID, both);
      await create(given, both);
      const [{ fields } = { fields: {} }] = orders();
      expect(fields).toMatchObject({
        'CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId': ID,
        InstanceInitiatedShutdownBehavior: 'terminate',
      });
      const other = { ...given, key: 'instance.create:other:0' };
      expect(await failure(other, both)).toBeInstanceOf(NoCapacityError);
      // Others may get machines of this type outside of it.
      const { offers: all } = await both.offers(REQUIREMENTS.met);
      expect(all.some(({ availability }) => availability === 'not_available')).toBe(false);
      clock.advance(OLD_S);
      expect(await ask(ID, both)).toEqual({
        offers: [],
        notes: [`reservation ${ID} of m5.large in us-east-2b has no machine left`],
      });
    });

    it('that is a capacity block is ordered as a market of its own', async () => {
      const block = { id: BLOCK, region: REGION, type: 'p5.48xlarge', zone: 'us-east-1a' };
      aws.reserve({ ...block, count: 1, isBlock: true });
      await create(await orderIn(BLOCK));
      expect(orders()[0]?.fields['InstanceMarketOptions.MarketType']).toBe('capacity-block');
    });

    it('that is not there has no offers, and plans say so', async () => {
      for (const id of [ID, 'mine']) {
        expect(await ask(id)).toEqual({
          offers: [],
          notes: [`no active reservation ${id} in the regions of the backend`],
        });
      }
      const both = backendWith({ regions: [REGION, 'us-east-2'] });
      await both.offers(REQUIREMENTS.met);
      aws.silence('us-east-2');
      expect((await ask(ID, both)).notes).toEqual([
        expect.stringMatching(/^reservations of us-east-2 are not known: AWS: no answer/),
      ]);
      const gone = await failure(await order({ reservation: ID }));
      expect(gone.message).toContain(`'${ID}' does not exist`);
      expect(orders()).toEqual([]);
    });
  });

  it('claims of a server are kept in the account, replaced, and read by others', async () => {
    const ours = { server: '5f0c6c1e-6e0c-4d5a-9a58-0b8a4f1f1f11' };
    await backend.claims?.renew(ours, { claimant: 'one', nonce: 'n-1' });
    await backend.claims?.renew(ours, { claimant: 'one', nonce: 'n-2' });
    await backendWith().claims?.renew(ours, { claimant: 'two', nonce: 'n-3' });
    const seen = await backendWith({ regions: ['us-east-2'] }).claims?.read(ours);
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
      const handle = await backend.groups?.create(group);
      expect(handle?.id).toMatch(/^main-pool-1-[0-9a-f]{12}$/);
      const second = { ...group, key: 'group.create:2:0', owner: { ...owner, server: 'another' } };
      const other = await backend.groups?.create(second);
      expect(other?.id).not.toBe(handle?.id);
      const wanted = { placementGroup: group.name };
      const error = await failure(await order(wanted));
      expect(error).toBeInstanceOf(SkipOfferError);
      expect(error.message).toBe('AWS puts no t3.small into a placement group');
      const { offers: all } = await backend.offers(REQUIREMENTS.met);
      const offer = all.find(({ instance }) => instance.name === 'm5.large') ?? null;
      await create(await order({ ...wanted, offer }));
      expect(orders().at(-1)?.fields['Placement.GroupName']).toBe(handle?.id);
    });

    it('has machines with interfaces of EFA, on all cards where they have no public address', async () => {
      const owner = { ...newOrder(null).owner, instance: '' };
      await backend.groups?.create({
        ...{ key: 'group.create:1:0', name: 'gpus', region: REGION, kind: 'placement' },
        ...{ size: null, offer: null, owner },
      });
      const [offer = null] = await offers({ gpu: 'H100' });
      const cards = async (placementGroup: string | null, of = backend) => {
        // Moto has no machine with so many cards: the order itself is what counts.
        await failure(await order({ offer, placementGroup }), of);
        const { fields = {} } = orders().at(-1) ?? {};
        return Object.entries(fields).filter(([name]) => name.endsWith('.InterfaceType'));
      };
      expect(await cards(null)).toEqual([]);
      expect(await cards('gpus')).toEqual([['NetworkInterface.1.InterfaceType', 'efa']]);
      const gateway = await aws.ask(REGION, 'DescribeRouteTables');
      const table = /<routeTableId>([^<]*)/.exec(gateway)?.[1] ?? '';
      const subnet = await aws.ask(REGION, 'DescribeSubnets');
      const nat = await aws.ask(REGION, 'CreateNatGateway', {
        SubnetId: /<subnetId>([^<]*)/.exec(subnet)?.[1] ?? '',
      });
      const NatGatewayId = /<natGatewayId>([^<]*)/.exec(nat)?.[1] ?? '';
      const toNat = { RouteTableId: table, DestinationCidrBlock: '0.0.0.0/0', NatGatewayId };
      await aws.ask(REGION, 'ReplaceRoute', toNat);
      const isPrivate = backendWith({ network: { ...SETTINGS.network, isPublic: false } });
      expect(await cards('gpus', isPrivate)).toHaveLength(32);
    });
  });

  describe('a volume', () => {
    it('is attached where Linux finds it, and its price is that of its size', async () => {
      const owner = { ...newOrder(null).owner, fleet: '', instance: 'data' };
      const volume = await backend.volumes?.create({
        ...{ key: 'volume.create:1:0', volumeId: 'v', name: 'data', owner, region: REGION },
        ...{ availabilityZone: 'us-east-1b', sizeGib: 50, tags: {}, directory: null },
      });
      if (!volume) throw new Error('it was not created');
      expect(await backend.volumes?.observe(volume)).toEqual({
        ...{ state: 'ready', sizeGib: 50, usedGib: null, price: 4, shared: false },
        availabilityZone: 'us-east-1b',
      });
      const given = await order();
      const offer = given.offer && { ...given.offer, availability_zones: ['us-east-1b'] };
      const machine = await create({ ...given, offer, volumes: [volume] });
      clock.advance(OLD_S);
      expect(await backend.volumes?.attach(volume, machine)).toMatchObject({ state: 'pending' });
      expect(await backend.volumes?.attach(volume, machine)).toEqual({
        state: 'attached',
        device: `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume.id.replace('-', '')}`,
      });
      const elsewhere = await create(await order({ offer }));
      await expect(backend.volumes?.attach(volume, elsewhere)).rejects.toThrow('is attached to');
      const seen = await backend.instances?.observe(machine, { facts: null });
      expect(seen).toMatchObject({
        machine: { provisioningData: { availability_zone: 'us-east-1b' } },
      });
    });
  });

  describe('the network of a region', () => {
    it('is refused with what is missing in it', async () => {
      const isPrivate = { ...SETTINGS.network, isPublic: false };
      const text = async (settings: Partial<AwsSettings>) =>
        (await failure(await order(), backendWith(settings))).message;
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
        const given = await order();
        return await create({ ...given, owner: { ...given.owner, project: name } }, backendWith());
      };
      await Promise.all([project('a-b')(), project('a-b')()]);
      const groups = await aws.ask(REGION, 'DescribeSecurityGroups');
      expect(groups.match(/<groupName>dstack-security-group-a-b<\/groupName>/g)).toHaveLength(1);
      expect(groups.match(/<fromPort>22<\/fromPort>/g)).toHaveLength(1);
      await project('a_b')();
      const both = await aws.ask(REGION, 'DescribeSecurityGroups');
      expect(both.match(/<groupName>dstack-security-group-[^<]*/g)).toHaveLength(2);
    });
  });

  describe('credentials', () => {
    /** Makes keys of a user with a policy; from then on moto checks signatures and rights. */
    async function keysWith(policy: object): Promise<AwsCredentials> {
      const iam = async (Action: string, fields: Readonly<Record<string, string>> = {}) => {
        const scope = 'Credential=test/20260101/us-east-1/iam/aws4_request';
        const response = await fetch(moto.url, {
          method: 'POST',
          headers: {
            authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=0`,
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: new URLSearchParams({ Action, Version: '2010-05-08', UserName: 'ada', ...fields }),
        });
        return await response.text();
      };
      await iam('CreateUser');
      const PolicyDocument = JSON.stringify(policy);
      await iam('PutUserPolicy', { PolicyName: 'dstack', PolicyDocument });
      const made = await iam('CreateAccessKey');
      const text = (name: string) => new RegExp(`<${name}>([^<]*)`).exec(made)?.[1] ?? '';
      await checkAuthorization('0');
      return {
        ...{ accessKey: text('AccessKeyId'), secretKey: text('SecretAccessKey') },
        sessionToken: null,
      };
    }
    const checkAuthorization = (after: string) =>
      fetch(`${moto.url}/moto-api/reset-auth`, { method: 'POST', body: after });
    afterEach(async () => void (await checkAuthorization('1000000')));

    it('with the policy of the documentation are enough for everything', async () => {
      const own = backendWith({ tags: { 'a b': 'c * d' } }, await keysWith(policyDocument()));
      const results = await own.check();
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
      expect(results.map(({ name }) => name)).toContain('aws: ec2:RunInstances');
      const handle = await create(await order({}, own), own);
      expect(await own.instances?.release(handle)).toBe('releasing');
    });

    it('that lack rights are checked without making anything, and each missing one is named', async () => {
      const Statement = [
        { Effect: 'Allow', Action: 'ec2:Describe*', Resource: '*' },
        { Effect: 'Allow', Action: 'ec2:RunInstances', Resource: '*' },
      ];
      const own = backendWith({}, await keysWith({ Version: '2012-10-17', Statement }));
      const missing = (await own.check()).filter(({ ok }) => !ok);
      expect(missing.map(({ name }) => name)).toEqual([
        'aws: ec2:AllocateAddress',
        'aws: ec2:AssociateAddress',
        'aws: ec2:AttachVolume',
        'aws: ec2:AuthorizeSecurityGroupEgress',
        'aws: ec2:AuthorizeSecurityGroupIngress',
        'aws: ec2:CreateSecurityGroup',
        'aws: ec2:CreateTags',
        'aws: ec2:CreateVolume',
        'aws: ec2:DeleteKeyPair',
        'aws: ec2:DeleteVolume',
        'aws: ec2:DetachVolume',
        'aws: ec2:ImportKeyPair',
        'aws: ec2:ReleaseAddress',
        'aws: ec2:TerminateInstances',
        ...ELB_PERMISSIONS.map(({ action }) => `aws: ${action}`),
      ]);
      const last = missing.find(({ name }) => name === 'aws: ec2:TerminateInstances');
      expect(last?.problem).toMatch(
        /^ec2:TerminateInstances is not allowed in us-east-1: attach the policy of docs\/backends.md/,
      );
      expect(missing.some(({ refused }) => refused)).toBe(false);
      expect(aws.vms()).toEqual([]);
    });

    it('that are wrong are refused before they are used', async () => {
      const keys = await keysWith(policyDocument());
      const own = backendWith({}, { ...keys, secretKey: 'wrong' });
      expect(await own.check()).toMatchObject([{ ok: false, refused: true, unanswered: false }]);
      await expect(own.offers(REQUIREMENTS.met)).rejects.toThrow(CredentialsError);
    });
  });
});
