import type { InstanceOrder } from '@dstack/backends';
import { capabilitiesOf, type IntentOf } from '@dstack/core';
import { anOffer, instanceRecord } from '@dstack/core/testing';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { type EffectsOptions, makeInstance } from './effects.ts';

it('an instance is ordered in the reservation that its requirements name', async () => {
  const orders: InstanceOrder[] = [];
  const requirements = { reservation: 'cr-1' } as never;
  const instance = instanceRecord({ status: 'pending', requirements });
  const create = async (order: InstanceOrder) => {
    orders.push(order);
    return { handle: { id: 'm-1', data: null }, hostId: 'inst-1', provisioningData: null };
  };
  const backend = { instances: { create }, groups: null, capabilities: capabilitiesOf('aws') };
  const options = {
    store: {
      instances: {
        byId: async () => ({ instance, projectName: 'main', fleet: { name: 'pool' } }),
      },
      projects: { byId: async () => null },
      engine: { amendIntent: async () => true },
    },
    backends: { find: async () => backend },
    ...{ serverId: 'server', now: () => 0, log: pino({ level: 'silent' }) },
  } as unknown as EffectsOptions;
  const intent: IntentOf<'instance.create'> = {
    ...{ key: 'instance.create:inst-1:0', kind: 'instance.create', subjectId: 'inst-1' },
    payload: { kind: 'instance.create', offers: [anOffer()], maxTries: 1, totalOffers: 1 },
    ...{ attempt: 0, state: 'announced', result: null, error: null, createdAt: 0, updatedAt: 0 },
  };
  expect(await makeInstance(options, intent)).toMatchObject({ kind: 'instance.created' });
  expect(orders).toEqual([expect.objectContaining({ reservation: 'cr-1', group: null })]);
});
