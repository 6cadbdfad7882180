/** Reservations of EC2 at moto. */
import { Requirements } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { NoCapacityError } from '../../base/errors.ts';
import { REQUIREMENTS } from '../../base/testing/orders.ts';
import { REGION } from '../testing.ts';
import { type AwsWorld, LEASE_NOTE, OLD_S } from './aws-world.ts';

export function describeReservations(world: () => AwsWorld): void {
  describe('a reservation', () => {
    const ID = 'cr-0123456789abcdef0';
    const BLOCK = 'cr-0123456789abcdef1';
    const ask = (id: string, of = world().backend) =>
      of.offers(Requirements.parse({ resources: {}, reservation: id }));
    const orderIn = async (id: string, of = world().backend) => {
      const [offer = null] = (await ask(id, of)).offers;
      return await world().order({ offer, reservation: id }, of);
    };

    it('has offers of its type in its zone, and takes machines until it is used up', async () => {
      const both = world().backendWith({ regions: [REGION, 'us-east-2'] });
      world().aws.reserve({
        id: ID,
        region: 'us-east-2',
        type: 'm5.large',
        zone: 'us-east-2b',
        count: 1,
      });
      world().aws.setQuota('L-1216C47A', 0);
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
      await world().create(given, both);
      const [{ fields } = { fields: {} }] = world().orders();
      expect(fields).toMatchObject({
        'CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId': ID,
        InstanceInitiatedShutdownBehavior: 'terminate',
      });
      const other = { ...given, key: 'instance.create:other:0' };
      expect(await world().failure(other, both)).toBeInstanceOf(NoCapacityError);
      // Others may get machines of this type outside of it.
      const { offers: all } = await both.offers(REQUIREMENTS.met);
      expect(all.some(({ availability }) => availability === 'not_available')).toBe(false);
      world().clock.advance(OLD_S);
      expect(await ask(ID, both)).toEqual({
        offers: [],
        notes: [`reservation ${ID} of m5.large in us-east-2b has no machine left`],
      });
    });

    it('that is a capacity block is ordered as a market of its own', async () => {
      const block = { id: BLOCK, region: REGION, type: 'p5.48xlarge', zone: 'us-east-1a' };
      world().aws.reserve({ ...block, count: 1, isBlock: true });
      await world().create(await orderIn(BLOCK));
      expect(world().orders()[0]?.fields['InstanceMarketOptions.MarketType']).toBe(
        'capacity-block',
      );
    });

    it('that is not there has no offers, and plans say so', async () => {
      for (const id of [ID, 'mine']) {
        expect(await ask(id)).toEqual({
          offers: [],
          notes: [`no active reservation ${id} in the regions of the backend`],
        });
      }
      const both = world().backendWith({ regions: [REGION, 'us-east-2'] });
      await both.offers(REQUIREMENTS.met);
      world().aws.silence('us-east-2');
      expect((await ask(ID, both)).notes).toEqual([
        expect.stringMatching(/^reservations of us-east-2 are not known: AWS: no answer/),
      ]);
      const gone = await world().failure(await world().order({ reservation: ID }));
      expect(gone.message).toContain(`'${ID}' does not exist`);
      expect(world().orders()).toEqual([]);
    });
  });
}
