import { expect, it } from 'vitest';
import { anOffer } from '../placement/testing.ts';
import { listOffers } from './listing.ts';

const node = (name: string, more = {}) =>
  anOffer({ backend: 'kubernetes', name, price: 0, ...more });

it('lists identical nodes of a cluster as one offer, with their number and names', () => {
  const offers = [node('a'), node('big', { cpus: 96 }), node('b'), node('c', { region: 'other' })];
  const grouped = listOffers(offers, { groupNodes: true });
  expect(grouped.offers.map(({ instance, nodes }) => [instance.name, nodes])).toEqual([
    ['a', { count: 2, names: ['a', 'b'] }],
    ['big', undefined],
    ['c', undefined],
  ]);
  expect(grouped.total_offers).toBe(3);
  expect(listOffers(offers).offers).toEqual(offers);
});

it('names 50 nodes of a large cluster, and counts all', () => {
  const offers = Array.from({ length: 5_000 }, (_, n) => node(`n${n}`));
  const [first] = listOffers(offers, { groupNodes: true, maxOffers: 1 }).offers;
  expect([first?.nodes?.count, first?.nodes?.names.length]).toEqual([5_000, 50]);
});

it('counts a node with several instances once', () => {
  const pods = ['a', 'a', 'b'].map((name) => node(name, { availability: 'busy' }));
  const grouped = listOffers([...pods, node('a')], { groupNodes: true });
  expect(grouped.offers).toMatchObject([
    { availability: 'available', instance: { name: 'a' } },
    { availability: 'busy', nodes: { count: 2, names: ['a', 'b'] } },
  ]);
});

it('never takes types of instances for nodes', () => {
  const types = [anOffer({ name: 'm5' }), anOffer({ name: 'm6' })];
  expect(listOffers(types, { groupNodes: true }).offers).toEqual(types);
});
