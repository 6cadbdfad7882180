import { isDeepStrictEqual } from 'node:util';
import { requirementsMatch } from '@dstack/core';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { type RackMachine, rackBackend } from './rack.ts';

describeBackend('the rack of the example', async () => {
  const machines = new Map<string, RackMachine>();
  for (let n = 1; n <= 6; n++) {
    const address = `10.0.0.${n}`;
    machines.set(address, { address, cpus: 8, memoryMib: 16_384, label: null });
  }
  const backend = rackBackend({
    as: 'vastai',
    matches: requirementsMatch,
    api: {
      read: async () => [...machines.values()],
      relabel: async (address, from, label) => {
        const machine = machines.get(address);
        if (!machine || !isDeepStrictEqual(machine.label, from)) return false;
        machines.set(address, { ...machine, label });
        return true;
      },
    },
  });
  const inUse = () => [...machines.values()].filter(({ label }) => label !== null).length;
  return {
    backend,
    requirements: REQUIREMENTS,
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return newOrder(offers[0] ?? null, server);
    },
    facts: async () => null,
    settle: async () => {},
    machines: async () => inUse(),
    vanish: async ({ id }) => void machines.delete(id),
    calls: null,
    userVolume: null,
    close: async () => {},
  };
}, ['lost answers', 'volumes', 'groups', 'gateways']);
