import type { Offer } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { BackendError, NoCapacityError, QuotaError, SkipOfferError } from '../errors.ts';
import type { InstanceOrder, InstancePort } from '../instance-port.ts';
import { EC2_SPOT_NOTICE } from '../spot-notices.ts';
import { newOrder } from '../testing/orders.ts';
import { RegionalInstances } from './regional-instances.ts';
import { ZoneCapacity } from './zone-capacity.ts';

const OFFER = {
  ...{ backend: 'aws', region: 'eu-west-1', price: 1, availability_zones: ['a', 'b', 'c'] },
  instance: { name: 'm5.large', resources: { spot: false } },
} as unknown as Offer;

/** `answers`: of the zones; the name of a machine, or a refusal. */
function regional(answers: Readonly<Record<string, string | Error>>, open = ['a', 'b', 'c']) {
  const clock = { now: 0 };
  const asked: InstanceOrder[] = [];
  const refused: string[] = [];
  const released: string[] = [];
  const capacity = new ZoneCapacity(() => clock.now);
  const of = (region: string) => ({
    zones: async () => open,
    capacity,
    instances: {
      create: async (order) => {
        asked.push(order);
        const answer = answers[order.offer?.availability_zones?.[0] ?? ''];
        if (typeof answer !== 'string') throw answer;
        const handle = { id: answer, data: null };
        return { handle, hostId: order.instanceId, provisioningData: null };
      },
      release: async ({ id }) => {
        released.push(`${region} ${id}`);
        return 'released';
      },
      observe: async () => ({ state: 'missing' }),
      list: async () => [
        { handle: { id: region, data: null }, owner: newOrder(null).owner, key: null },
      ],
    } satisfies InstancePort as InstancePort,
  });
  const offers = { refused: (_: unknown, why: string) => void refused.push(why) };
  const regions = ['eu-west-1', 'us-east-1'];
  const instances = new RegionalInstances({
    ...{ title: 'AWS', regions, of, offers, leaseEnding: 'poweroff' },
    notices: { sources: [EC2_SPOT_NOTICE] },
  });
  return { instances, asked, refused, released, capacity, clock };
}

const zonesOf = (asked: readonly InstanceOrder[]) =>
  asked.map(({ offer, mayExist }) => `${offer?.availability_zones} ${mayExist}`);

describe('machines in the regions of a provider', () => {
  it('are asked for in one zone after another, and only the first one waits for an earlier attempt', async () => {
    const { instances, asked, refused } = regional({ a: new NoCapacityError('full'), b: 'i-1' });
    const created = await instances.create({ ...newOrder(OFFER), mayExist: true });
    expect(created.handle).toEqual({ id: 'i-1', data: '{"region":"eu-west-1"}' });
    expect(zonesOf(asked)).toEqual(['a true', 'b false']);
    expect(refused).toEqual([]);
  });

  it('are sold out when no zone has them, and over the quota in all zones at once', async () => {
    const full = new NoCapacityError('full');
    const soldOut = regional({ a: full, b: full, c: full });
    await expect(soldOut.instances.create(newOrder(OFFER))).rejects.toBe(full);
    expect([soldOut.asked.length, soldOut.refused]).toEqual([3, ['capacity']]);
    const quota = regional({ a: new QuotaError('limit 0') });
    await expect(quota.instances.create(newOrder(OFFER))).rejects.toThrow('limit 0');
    expect([quota.asked.length, quota.refused]).toEqual([1, ['quota']]);
  });

  it('are asked for in no zone that had none of the type a minute ago, unless one may exist there', async () => {
    const { instances, asked, refused, capacity, clock } = regional({
      a: 'i-1',
      b: 'i-2',
      c: 'i-3',
    });
    capacity.refused({ ...OFFER, availability_zones: ['a'] });
    await instances.create(newOrder(OFFER));
    await instances.create({ ...newOrder(OFFER), mayExist: true });
    capacity.refused({ ...OFFER, availability_zones: ['b', 'c'] });
    const none = instances.create(newOrder(OFFER));
    await expect(none).rejects.toThrow('no zone of eu-west-1 had a machine of this type left');
    await expect(none).rejects.toBeInstanceOf(NoCapacityError);
    expect(refused).toEqual(['capacity']);
    const spot = { name: 'm5.large', resources: { spot: true } } as Offer['instance'];
    await instances.create(newOrder({ ...OFFER, instance: spot }));
    clock.now = 60_000;
    await instances.create(newOrder(OFFER));
    const zones = asked.map(({ offer }) => offer?.availability_zones?.[0]);
    expect(zones).toEqual(['b', 'a', 'a', 'a']);
  });

  it('are not asked for again after an error that leaves open whether there is one', async () => {
    const { instances, asked } = regional({ a: new BackendError('who knows'), b: 'i-1' });
    await expect(instances.create(newOrder(OFFER))).rejects.toThrow('who knows');
    expect(asked).toHaveLength(1);
  });

  it('without a subnet skip the offer, but not an order that may have been carried out', async () => {
    const { instances } = regional({}, ['d']);
    const skipped = instances.create(newOrder(OFFER));
    await expect(skipped).rejects.toThrow(SkipOfferError);
    await expect(skipped).rejects.toThrow('the network of eu-west-1 has no subnet in a, b, c');
    const error = await instances
      .create({ ...newOrder(OFFER), mayExist: true })
      .catch((failure: unknown) => failure);
    expect((error as Error).constructor).toBe(BackendError);
  });

  it('watch for the notice of EC2 before a spot machine ends', () => {
    expect(regional({}).instances.notices.sources).toEqual([EC2_SPOT_NOTICE]);
    expect(regional({}).instances.leaseEnding).toBe('poweroff');
  });

  it('are ended in the region of their handle, and listed in all', async () => {
    const { instances, released } = regional({});
    await instances.release({ id: 'i-9', data: '{"region":"ap-southeast-1"}' });
    expect(released).toEqual(['ap-southeast-1 i-9']);
    const listed = await instances.list({ server: 's' });
    expect(listed.map(({ handle }) => handle.data)).toEqual([
      '{"region":"eu-west-1"}',
      '{"region":"us-east-1"}',
    ]);
  });
});
