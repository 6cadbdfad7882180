/** An account at a simulated provider, with its own clock, for tests of sweeps. */
import type { Backend, InstanceOrder } from '@dstack/backends';
import {
  memoryTables,
  NO_FAULTS,
  type SimFaults,
  SimProvider,
  simBackend,
} from '@dstack/backends/sim';
import type { Offer } from '@dstack/core';

export interface SimAccount {
  readonly provider: SimProvider;
  readonly backend: Backend;
  readonly faults: SimFaults;
  readonly clock: { now: number };
  /** A machine with the tag of this server, as an order with this key would create it. */
  order(server: string, key: string, group?: InstanceOrder['group']): Promise<string>;
  /** Ids of the machines that exist. */
  readonly machines: string[];
}

const OFFER = { instance: { name: 'small' } } as Offer;

export function simAccount(start: number): SimAccount {
  const clock = { now: start, delay: async () => {} };
  const faults: SimFaults = { ...NO_FAULTS };
  const provider = new SimProvider({
    clock,
    random: { whole: (from) => from, chance: (probability) => probability >= 1 },
    faults: () => faults,
    tables: memoryTables(),
    agents: {
      start: () => Promise.reject(new Error('no machine of this test boots')),
      stop: async () => {},
    },
  });
  return {
    provider,
    faults,
    clock,
    backend: simBackend({ as: 'aws', provider, offers: [], matches: () => true }),
    async order(server, key, group = null) {
      const owner = { server, project: 'main', fleet: 'pool', instance: 'pool-0' };
      const made = await provider.create({ ...ORDER, key, owner, group }, OFFER);
      return made.id;
    },
    get machines() {
      return provider.tables.machines.all().map(({ id }) => id);
    },
  };
}

const ORDER: Omit<InstanceOrder, 'key' | 'owner'> = {
  ...{ instanceId: 'i', offer: OFFER, authorizedKeys: [], tags: {}, reservation: null },
  ...{ placementGroup: null, volumes: [], group: null },
};
