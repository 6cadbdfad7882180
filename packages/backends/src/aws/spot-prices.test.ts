import type { Offer } from '@dstack/core';
import { expect, it } from 'vitest';
import { BackendError } from '../base/errors.ts';
import type { SpotPrice } from './ec2.ts';
import { SpotPrices, spotNotes } from './spot-prices.ts';

const MINUTE_MS = 60_000;
const ZONES = ['eu-1a', 'eu-1b', 'eu-1c'];
const offer = { instance: { name: 'g5.xlarge', resources: { spot: true } } };
const OFFER = { ...offer, price: 0.42, availability_zones: ZONES } as unknown as Offer;

const price = (zone: string, usd: number, since = '2026-01-01T00:00:00.000Z'): SpotPrice => ({
  ...{ type: 'g5.xlarge', zone, price: usd, since },
});

/** `answer`: of EC2, which may change. */
function world(answer: () => readonly SpotPrice[]) {
  let now = 0;
  const asked: { readonly types: readonly string[]; readonly at: string }[] = [];
  const prices = new SpotPrices({
    ec2: {
      region: 'eu-1',
      spotPrices: async (types, at) => {
        asked.push({ types, at: at.toISOString() });
        return answer();
      },
    },
    types: () => ['g5.xlarge'],
    now: () => now,
    clock: () => Date.parse('2026-02-01T00:00:00.000Z') + now,
  });
  const pass = (ms: number) => {
    now += ms;
  };
  const notes = () => spotNotes([prices], ['eu-1']);
  return { prices, asked, pass, notes };
}

it('a spot offer has the price of the market, its cheapest zone first, and no zone that is much dearer', async () => {
  const { prices, asked, notes } = world(() => [
    price('eu-1a', 0.2),
    price('eu-1b', 0.1, '2026-01-31T00:00:00.000Z'),
    // It was in force before.
    price('eu-1b', 0.01),
    price('eu-1c', 0.12),
  ]);
  expect(prices.priced(OFFER)).toBe(OFFER);
  await prices.refresh();
  expect(prices.priced(OFFER)).toMatchObject({
    ...{ price: 0.12, availability_zones: ['eu-1b', 'eu-1c'] },
  });
  const onDemand = { ...OFFER, instance: { ...OFFER.instance, resources: { spot: false } } };
  expect(prices.priced(onDemand as Offer)).toBe(onDemand);
  expect(asked).toEqual([{ types: ['g5.xlarge'], at: '2026-02-01T00:00:00.000Z' }]);
  expect(notes()).toEqual(["spot prices are those of EC2's market, less than a minute old"]);
});

it('prices are asked for again after five minutes, and the last ones stay for an hour if EC2 does not answer', async () => {
  let usd: number | null = 0.1;
  const { prices, asked, pass, notes } = world(() => {
    if (usd === null) throw new BackendError('AWS: no answer');
    return [price('eu-1a', usd)];
  });
  await prices.refresh();
  usd = 0.3;
  pass(MINUTE_MS);
  await prices.refresh();
  expect(prices.priced(OFFER).price).toBe(0.1);
  pass(5 * MINUTE_MS);
  await prices.refresh();
  expect([prices.priced(OFFER).price, asked.length]).toEqual([0.3, 2]);
  usd = null;
  pass(10 * MINUTE_MS);
  await prices.refresh();
  expect(prices.priced(OFFER).price).toBe(0.3);
  expect(notes()).toEqual(["spot prices are those of EC2's market, 10 minutes old"]);
  pass(51 * MINUTE_MS);
  await prices.refresh();
  expect(prices.priced(OFFER)).toBe(OFFER);
  expect(notes()).toEqual(['spot prices in eu-1 are those of the catalogue: AWS: no answer']);
});

it('a type without a price of the market, or in none of its zones, keeps that of the catalogue', async () => {
  const { prices } = world(() => [price('eu-1z', 0.1)]);
  await prices.refresh();
  expect(prices.priced(OFFER)).toBe(OFFER);
  const other = { ...OFFER, instance: { ...OFFER.instance, name: 'm5.large' } };
  expect(prices.priced(other)).toBe(other);
});
