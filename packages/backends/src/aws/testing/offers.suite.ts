/** Offers of AWS at moto. */
import { Requirements } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { REQUIREMENTS } from '../../base/testing/orders.ts';
import { REGION } from '../testing.ts';
import { type AwsWorld, LEASE_NOTE, OLD_S, SPOT_NOTE } from './aws-world.ts';

export function describeOffers(world: () => AwsWorld): void {
  describe('offers', () => {
    it('are the types of the catalogue in the zones where EC2 sells them, with the disk that is asked for', async () => {
      const [offer] = await world().offers({ gpu: 'A10G', disk: '250GB..' });
      // Moto's spot market sells everything for this price.
      expect(offer).toMatchObject({
        ...{ backend: 'aws', region: REGION, price: 0.00001, availability: 'unknown' },
        availability_zones: expect.arrayContaining(['us-east-1a', 'us-east-1b']),
        instance: { name: 'g5.xlarge', resources: { spot: true, disk: { size_mib: 250 * 1024 } } },
      });
      expect(await world().offers({ disk: '..50GB' })).toEqual([]);
      // The catalogue lists it, but it is of no family of dstack's.
      expect(
        (await world().offers({ cpu: 'arm:1..' })).map(({ instance }) => instance.name),
      ).toEqual([]);
      const experimental = world().backendWith({ experimental: ['m7g.large'] });
      expect((await world().offers({ cpu: 'arm:1..' }, experimental))[0]?.instance.name).toBe(
        'm7g.large',
      );
    });

    it('without quota say how much is missing', async () => {
      world().aws.setQuota('L-DB2E81BA', 0);
      world().aws.setQuota('L-3819A6DF', 4);
      const { offers: found, notes } = await world().backend.offers(
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
      expect(notes).toEqual([`no quota: 4 vCPU of G in ${REGION}, limit 0`, SPOT_NOTE, LEASE_NOTE]);
    });
  });

  describe('a region', () => {
    it('that does not answer has no offers, with a note, and delays no machine of another one', async () => {
      const both = world().backendWith({ regions: [REGION, 'us-east-2'] });
      const handle = await world().create(await world().order({}, both), both);
      world().clock.advance(OLD_S);
      world().aws.silence('us-east-2');
      const later = world().backendWith({ regions: [REGION, 'us-east-2'] });
      const { offers: found, notes } = await later.offers(REQUIREMENTS.met);
      expect(new Set(found.map(({ region }) => region))).toEqual(new Set([REGION]));
      const left = expect.stringMatching(/^offers of us-east-2 are left out: AWS: no/);
      expect(notes).toEqual([left, SPOT_NOTE, LEASE_NOTE]);
      expect(await both.instances?.observe(handle, { facts: null })).toMatchObject({
        state: 'ready',
      });
      await expect(both.instances?.list({ server: 'x' })).rejects.toThrow('no answer');
    });
  });
}
