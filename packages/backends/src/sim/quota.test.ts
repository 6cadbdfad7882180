import { NO_FAULTS } from '@dstack/contract';
import { requirementsMatch } from '@dstack/core';
import { expect, it } from 'vitest';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { SIM_OFFERS } from './offers.ts';
import { SimProvider } from './provider.ts';
import { simBackend } from './sim.ts';
import { memoryTables } from './tables.ts';

/** A backend, and how often its provider has counted the machines. */
function world(quota: number) {
  const tables = memoryTables();
  let counted = 0;
  const machines = {
    ...tables.machines,
    get size() {
      counted += 1;
      return tables.machines.size;
    },
  };
  const provider = new SimProvider({
    clock: { now: 0, delay: async () => {} },
    random: { whole: (from) => from, chance: () => false },
    faults: () => ({ ...NO_FAULTS, quota }),
    tables: { ...tables, machines },
    agents: {
      start: () => Promise.reject(new Error('no agent is started here')),
      stop: async () => {},
    },
  });
  const backend = simBackend({
    ...{ as: 'aws', provider, offers: SIM_OFFERS, matches: requirementsMatch },
  });
  const availabilities = async () => {
    const { offers } = await backend.offers(REQUIREMENTS.met);
    return [...new Set(offers.map(({ availability }) => availability))];
  };
  const create = () => backend.instances?.create(newOrder(SIM_OFFERS[0] ?? null));
  return { availabilities, create, counted: () => counted };
}

it('an account without a quota never counts its machines', async () => {
  const { availabilities, create, counted } = world(Number.POSITIVE_INFINITY);
  await create();
  expect(await availabilities()).toEqual(['available']);
  expect(counted()).toBe(0);
});

it('an account with a quota counts its machines once for all offers, and has none at the limit', async () => {
  const { availabilities, create, counted } = world(1);
  expect(await availabilities()).toEqual(['available']);
  expect(counted()).toBe(1);
  await create();
  expect(await availabilities()).toEqual(['no_quota']);
  await expect(create()).rejects.toThrow('the quota of the account is used up');
});
