import { expect, it } from 'vitest';
import { aFleet, anOffer, changesOf, placed, refusedWith, task } from './testing.ts';

const OFFERS = [anOffer({ backend: 'runpod', price: 1 }), anOffer({ backend: 'aws', price: 2 })];
const reserved = task('a', { reservation: 'cr-1' });

it('a reservation is part of what the new instance is ordered with, where there are reservations', () => {
  const decision = placed({ fleets: [aFleet('any')], gangs: [reserved] }, OFFERS);
  const [made] = changesOf(decision, 'instance.insert');
  expect(made?.instance.requirements?.reservation).toBe('cr-1');
  const [order] = changesOf(decision, 'intent.insert');
  expect(order?.intent.payload).toMatchObject({ offers: [{ backend: 'aws' }] });
});

it('a fleet gives its reservation to the instances of its runs, and refuses another one', () => {
  const fleets = [aFleet('own', { nodes: '0..', reservation: 'cr-2' })];
  const ours = placed({ fleets, gangs: [task('a')] }, OFFERS);
  const [made] = changesOf(ours, 'instance.insert');
  expect(made?.instance.requirements?.reservation).toBe('cr-2');
  expect(refusedWith(placed({ fleets, gangs: [reserved] }, OFFERS), 'job-a-0-0')).not.toBeNull();
});
