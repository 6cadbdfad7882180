import { expect, it } from 'vitest';
import type { Cluster } from './cluster.ts';
import { clusterIn } from './instances.ts';

const clusters = (...regions: string[]) => regions.map((region) => ({ region })) as Cluster[];

it.each([
  [['east', 'west'], 'north', 'no context north: its contexts are east, west'],
  [[''], 'my-cluster', "no context my-cluster: it has no `contexts`, so its only region is '-'"],
])('the clusters %j refuse the region %s with those that there are', (regions, region, text) => {
  expect(() => clusterIn(clusters(...regions), region)).toThrow(text);
});

it('a backend without contexts is found by the region of dstack 0.22.5, and by none', () => {
  const [only] = clusters('');
  expect(clusterIn(clusters(''), '-')).toEqual(only);
  expect(clusterIn(clusters(''), '')).toEqual(only);
});
