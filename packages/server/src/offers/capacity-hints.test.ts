import type { Backend } from '@dstack/backends';
import { expect, it } from 'vitest';
import { capacityHints } from './capacity-hints.ts';

const instances = {} as NonNullable<Backend['instances']>;
const cloud = { name: 'aws', instances, signalsCapacity: false } as const;
const local = { name: 'local', instances, signalsCapacity: true } as const;
const shown = { name: 'gcp', instances: null, signalsCapacity: false } as const;

it('names the backends that cannot create machines', () => {
  expect(capacityHints([cloud, shown]).offersOnly).toEqual(new Set(['gcp']));
});

it('asks again only for backends that create machines and send no signals', () => {
  expect(capacityHints([cloud, local]).hasPolledBackends).toBe(true);
  expect(capacityHints([local, shown]).hasPolledBackends).toBe(false);
  expect(capacityHints([]).hasPolledBackends).toBe(false);
});
