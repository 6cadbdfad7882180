import type { GatewayView } from '@dstack/store';
import { expect, it } from 'vitest';
import { newAccountKey, placeAmong } from './replica-turns.ts';

const replica = (replicaNum: number, status = 'running') => ({
  ...{ id: `replica-${replicaNum}`, replicaNum, status, hostname: `10.0.0.${replicaNum}` },
});

it('of the replicas that serve, those with a lower number request certificates first', () => {
  const view = {
    replicas: [replica(0), replica(1), replica(2, 'terminating'), replica(3), replica(4)],
    reports: [0, 1, 2, 4].map((num) => ({
      ...{ replicaId: `replica-${num}`, state: num === 1 ? 'waiting' : 'ready', hostname: null },
    })),
  } as unknown as GatewayView;
  const places = view.replicas.map((one) => placeAmong(view, one));
  expect(places).toEqual([
    { others: ['10.0.0.4'], turn: 0, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0', '10.0.0.4'], turn: 1, replicas: 5 },
    { others: ['10.0.0.0'], turn: 1, replicas: 5 },
  ]);
});

it('accounts have keys of their own', () => {
  expect(newAccountKey()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  expect(newAccountKey()).not.toBe(newAccountKey());
});
