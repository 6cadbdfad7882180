import { describe, expect, it } from 'vitest';
import { anOffer } from '../placement/testing.ts';
import { groupByError, groupCpus, groupGpus } from './groups.ts';
import { mergeByPrice } from './listing.ts';

const OFFERS = [
  anOffer({ name: 'a', gpus: 8, price: 16, availability: 'not_available' }),
  anOffer({ name: 'b', gpus: 1, price: 3, spot: true, region: 'eu-1' }),
  anOffer({ name: 'c', gpus: 1, price: 5, backend: 'gcp' }),
  anOffer({ name: 'd', gpus: 1, price: 1, gpu: 'T4', availability: 'no_quota' }),
  anOffer({ name: 'cpu', price: 1, region: 'ap-1' }),
];

describe('offers by GPU', () => {
  it('are one row per device, priced per GPU, available ones first', () => {
    const rows = groupGpus(OFFERS, { groupBy: [] });
    expect(rows.map((row) => row.name)).toEqual(['H100', 'T4']);
    expect(rows[0]).toEqual({
      name: 'H100',
      memory_mib: 81920,
      vendor: 'nvidia',
      availability: ['not_available', 'available'],
      spot: ['on-demand', 'spot'],
      count: { min: 1, max: 8 },
      price: { min: 2, max: 5 },
      offer_price: { min: 3, max: 16 },
      backends: ['aws', 'gcp'],
    });
  });

  it('by backend name all its regions, including those without GPUs', () => {
    const rows = groupGpus(OFFERS, { groupBy: ['backend'] });
    expect(rows.map((row) => [row.name, row.backend, row.regions])).toEqual([
      ['H100', 'aws', ['ap-1', 'eu-1', 'us-east-1']],
      ['H100', 'gcp', ['us-east-1']],
      ['T4', 'aws', ['ap-1', 'eu-1', 'us-east-1']],
    ]);
  });

  it('by region have one region each', () => {
    const rows = groupGpus(OFFERS, { groupBy: ['backend', 'region', 'count'] });
    expect(rows[0]).toMatchObject({ region: 'eu-1', backend: 'aws', count: { min: 1, max: 1 } });
    expect(rows[0]).not.toHaveProperty('backends');
    expect(rows).toHaveLength(4);
  });

  it('reversed begin with the most expensive available offer', () => {
    const rows = groupGpus(OFFERS, { groupBy: ['count'], reverse: true });
    expect(rows.map((row) => [row.name, row.count.min])).toEqual([
      ['H100', 1],
      ['H100', 8],
      ['T4', 1],
    ]);
  });

  it('cannot be grouped by region alone', () => {
    expect(groupByError(['region'])).toBe(
      "Cannot group by 'region' without also grouping by 'backend'",
    );
    expect(groupByError(['region', 'backend'])).toBeNull();
  });
});

it('offers without GPUs are rows of CPUs', () => {
  expect(groupCpus([...OFFERS, anOffer({ cpus: 2, price: 2 })], { groupBy: [] })).toEqual([
    {
      cpu_arch: ['x86'],
      count: { min: 2, max: 8 },
      memory_mib: { min: 32768, max: 32768 },
      price: { min: 1, max: 2 },
      availability: ['available'],
      spot: ['on-demand'],
      backends: ['aws'],
    },
  ]);
});

it('lists of backends are merged by the price of their heads, each in its own order', () => {
  const list = (...prices: number[]) => prices.map((price) => anOffer({ price }));
  const merged = mergeByPrice([list(3, 1), list(2, 4), []]);
  expect(merged.map((offer) => offer.price)).toEqual([2, 3, 1, 4]);
});
