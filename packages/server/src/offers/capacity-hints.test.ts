import type { Backend } from '@dstack/backends';
import { expect, it } from 'vitest';
import { capacityHints } from './capacity-hints.ts';

const compute = {} as NonNullable<Backend['compute']>;
const cloud = { name: 'aws', compute, signalsCapacity: false } as const;
const local = { name: 'local', compute, signalsCapacity: true } as const;
const shown = { name: 'gcp', compute: null, signalsCapacity: false } as const;

it('names the backends that cannot create machines', () => {
  expect(capacityHints([cloud, shown]).machineless).toEqual(new Set(['gcp']));
});

it('asks again only for backends that create machines and send no signals', () => {
  expect(capacityHints([cloud, local]).hasSilentBackends).toBe(true);
  expect(capacityHints([local, shown]).hasSilentBackends).toBe(false);
  expect(capacityHints([]).hasSilentBackends).toBe(false);
});
