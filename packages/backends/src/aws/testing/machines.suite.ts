/** Machines of EC2 at moto. */
import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { NoCapacityError, QuotaError, SkipOfferError } from '../../base/errors.ts';
import { hostKeyOf } from '../../base/rest-vm/host-keys.ts';
import { newOrder, REQUIREMENTS } from '../../base/testing/orders.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { awsAt, REGION } from '../testing.ts';
import { type AwsWorld, LEASE_NOTE, OLD_S, SPOT_NOTE } from './aws-world.ts';

export function describeInstances(world: () => AwsWorld): void {
  describe('a machine', () => {
    it('is ordered by one call, with tags on all of its parts', async () => {
      const given = await world().order({ tags: { team: 'ml', 'aws:x': 'refused', Name: 'mine' } });
      const { id, data } = await world().create(
        given,
        world().backendWith({ tags: { team: 'infra' } }),
      );
      expect(JSON.parse(data ?? '')).toEqual({ region: REGION });
      const [{ fields } = { fields: {} }] = world().orders();
      const text = (name: string) => (fields as Readonly<Record<string, string>>)[name];
      expect(text('BlockDeviceMapping.1.Ebs.VolumeSize')).toBe('100');
      expect(text('NetworkInterface.1.AssociatePublicIpAddress')).toBe('true');
      expect(text('ClientToken')).toMatch(/^dstack-[0-9a-f]{20}-[0-9a-f]{36}$/);
      const kinds = [1, 2, 3, 4].map((at) => text(`TagSpecification.${at}.ResourceType`));
      const spot = 'spot-instances-request';
      expect(kinds).toEqual(['instance', 'volume', 'network-interface', spot]);
      const seen = await world().aws.ask(REGION, 'DescribeInstances', { 'InstanceId.1': id });
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
      const { offers: all } = await world().backend.offers(REQUIREMENTS.met);
      const offer = all.find(({ instance }) => !instance.resources.spot) ?? null;
      await world().create(await world().order({ offer }));
      expect(world().orders()[0]?.fields).toMatchObject({
        InstanceInitiatedShutdownBehavior: 'terminate',
      });
      expect(world().orders()[0]?.fields['InstanceMarketOptions.MarketType']).toBeUndefined();
    });

    it('boots from the newest image of its kind, and lets its user in', async () => {
      const gpu = (await world().offers({ gpu: 'A10G' }))[0] ?? null;
      await world().create(await world().order());
      await world().create(await world().order({ offer: gpu }));
      const stock = world()
        .orders()
        .map(({ fields }) => fields.ImageId);
      expect(stock).toEqual(['ami-00000000000000025', 'ami-00000000000000070']);
      const cpu = { name: 'dstack-0.14', owner: '142421590066', user: 'ada' };
      const own = world().backendWith({ images: { cpu, nvidia: null } });
      const handle = await world().create(await world().order(), own);
      expect(world().orders().at(-1)?.fields.ImageId).toBe('ami-00000000000000014');
      world().clock.advance(OLD_S);
      expect(await own.instances?.observe(handle, { facts: null })).toMatchObject({
        state: 'ready',
        machine: { provisioningData: { username: 'ada' } },
        access: { kind: 'ssh', user: 'ada' },
      });
      const error = await world().failure(await world().order({ offer: gpu }), own);
      expect(error).toBeInstanceOf(SkipOfferError);
      expect(error.message).toContain('no image for nvidia machines');
    });

    it('gets the next zone where one has no capacity, and the offer is sold out when none has', async () => {
      const given = await world().order();
      const { instance, availability_zones: zones } = given.offer as Offer;
      world().aws.sellOut(instance.name, 'us-east-1a');
      await world().create(given);
      expect(
        world()
          .orders()
          .map(({ status }) => status),
      ).toEqual([500, 200]);
      for (const zone of zones ?? []) world().aws.sellOut(instance.name, zone);
      const error = await world().failure(await world().order());
      expect(error).toBeInstanceOf(NoCapacityError);
      expect(error.message).toContain('We currently do not have sufficient');
      const { offers: found } = await world().backend.offers(REQUIREMENTS.met);
      expect(
        found.find((one) => one.instance.name === instance.name && one.region === REGION),
      ).toMatchObject({ availability: 'not_available' });
    });

    it('that EC2 accepts and then has none left for is reported so, and its zone is left alone for a minute', async () => {
      const given = await world().order();
      const { instance, availability_zones: zones = [] } = given.offer as Offer;
      const zonesAsked = async () => {
        const subnets = world()
          .orders()
          .map(({ fields }) => fields['NetworkInterface.1.SubnetId'] ?? '');
        const texts = subnets.map((id) =>
          world().aws.ask(REGION, 'DescribeSubnets', { 'SubnetId.1': id }),
        );
        return (await Promise.all(texts)).map(
          (text) => /<availabilityZone>([^<]*)/.exec(text)?.[1],
        );
      };
      const handle = await world().create(given);
      await world().aws.failLate(handle.id);
      const seen = {
        ...{ state: 'interrupted', reason: 'no-room' },
        text: 'AWS: Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request',
      };
      expect(await world().backend.instances?.observe(handle, { facts: null })).toEqual(seen);
      await world().create(await world().order());
      expect(await zonesAsked()).toEqual(zones?.slice(0, 2));
      // Repeated observations of the failed machine do not begin the minute anew.
      world().clock.advance(OLD_S - 1);
      await world().backend.instances?.observe(handle, { facts: null });
      world().clock.advance(2);
      await world().create(await world().order());
      expect((await zonesAsked()).at(-1)).toBe(zones?.[0]);
      for (const zone of zones ?? []) world().aws.sellOut(instance.name, zone);
      await world().failure(await world().order());
      const before = world().orders().length;
      expect(await world().failure(await world().order())).toBeInstanceOf(NoCapacityError);
      expect(world().orders()).toHaveLength(before);
    });

    it('over the quota is refused with the quota in the text, and asked for in no other zone', async () => {
      const given = await world().order();
      world().aws.faults.set({ quota: 0 });
      const error = await world().failure(given);
      expect(error).toBeInstanceOf(QuotaError);
      expect(error.message).toMatch(
        /^no quota: 2 vCPU of Standard spot in us-east-1: AWS: You have requested more vCPU/,
      );
      expect(world().orders()).toHaveLength(1);
    });

    it('that is reclaimed is reported as AWS spells it', async () => {
      const handle = await world().create(await world().order());
      await world().aws.interrupt(handle.id);
      expect(await world().backend.instances?.observe(handle, { facts: null })).toEqual({
        ...{ state: 'interrupted', reason: 'spot' },
        text: 'AWS: Server.SpotInstanceTermination: Spot instance termination',
      });
      // EC2 lists it for an hour, and it costs nothing any more.
      expect(await world().backend.instances?.release(handle)).toBe('released');
      expect(
        await world().backend.instances?.list({ server: newOrder(null).owner.server }),
      ).toEqual([]);
    });

    it('that shuts itself down ends, and is reported as AWS spells it', async () => {
      const off: (() => void)[] = [];
      await world().restart({
        hosts: {
          boot: async ({ onPowerOff }) => {
            if (onPowerOff) off.push(onPowerOff);
            return '10.0.0.1';
          },
          ...{ end: async () => {}, reboot: async () => {} },
        },
      });
      expect(world().backend.instances?.leaseEnding).toBe('poweroff');
      const { offers: all } = await world().backend.offers(REQUIREMENTS.met);
      for (const spot of [true, false]) {
        const offer = all.find(({ instance }) => instance.resources.spot === spot) ?? null;
        const handle = await world().create(await world().order({ offer }));
        world().clock.advance(OLD_S);
        off.shift()?.();
        expect(world().aws.vms()).toEqual([]);
        // Moto ends it a moment later, and a list that is not old is not asked for again.
        const seen = async () => {
          world().clock.advance(OLD_S);
          return await world().backend.instances?.observe(handle, { facts: null });
        };
        await expect.poll(seen, { timeout: 20_000 }).toEqual({
          ...{ state: 'interrupted', reason: 'failed' },
          text: 'AWS: terminated: Client.InstanceInitiatedShutdown: Instance initiated shutdown',
        });
        expect(await world().backend.instances?.release(handle)).toBe('released');
      }
    });

    it('is born with the lease of the server, or without one where it is off', async () => {
      const scriptsOf = () => {
        const data = Buffer.from(
          world().orders().at(-1)?.fields.UserData ?? '',
          'base64',
        ).toString();
        return JSON.stringify(JSON.parse(data.replace('#cloud-config\n', '')).runcmd);
      };
      await world().create(await world().order());
      expect(scriptsOf()).toContain('poweroff');
      expect((await world().backend.offers(REQUIREMENTS.met)).notes).toEqual([
        SPOT_NOTE,
        LEASE_NOTE,
      ]);
      const off = awsAt({
        ...{ aws: world().aws, pace: passingPace(world().clock), leaseSeconds: null },
      });
      await world().create(await world().order({}, off), off);
      expect(scriptsOf()).not.toContain('poweroff');
      expect((await off.offers(REQUIREMENTS.met)).notes).toEqual([
        SPOT_NOTE,
        expect.stringMatching(/^it needs a living server: DSTACK_AGENT_LEASE is off/),
      ]);
    });

    it('is followed and ended where it is, although its region is configured no more', async () => {
      const both = world().backendWith({ regions: [REGION, 'us-east-2'] });
      const offer =
        (await world().offers({}, both)).find(({ region }) => region === 'us-east-2') ?? null;
      const handle = await world().create(await world().order({ offer }), both);
      world().clock.advance(OLD_S);
      const ready = await world().backend.instances?.observe(handle, { facts: null });
      expect(ready).toMatchObject({ state: 'ready' });
      await world().backend.instances?.release(handle);
      expect(world().aws.vms()).toEqual([]);
    });

    it('is made once for each order, whatever is lost, late or refused', async () => {
      await world().backend.offers(REQUIREMENTS.met);
      world().aws.faults.set({
        lost_response: 0.2,
        eventual_seconds: 10,
        rate_limit: 0.05,
        error: 0.05,
      });
      for (let number = 0; number < 3; number++) {
        const given = await world().order();
        let answer: unknown = await world().failure(given);
        for (let times = 0; answer instanceof Error && times < 500; times++) {
          answer = await world().failure({ ...given, mayExist: true });
        }
        expect(answer).not.toBeInstanceOf(Error);
      }
      expect(world().aws.vms()).toHaveLength(3);
    });
  });
}
