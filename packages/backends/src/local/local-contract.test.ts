import { requirementsMatch } from '@dstack/core';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { localBackend } from './local.ts';

const host = { cpus: 4, memoryMib: 8192, arch: 'x86' as const, gpus: [] };

describeBackend('the server host', async () => {
  const backend = localBackend({
    executor: 'process',
    serverHost: async () => host,
    hostId: 'local',
    slots: 4,
    hostname: '127.0.0.1',
    freedoms: { trusted: false, mounts: false, users: false, loopback: false },
    matches: requirementsMatch,
    volumes: null,
  });
  return {
    backend,
    requirements: REQUIREMENTS,
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return newOrder(offers[0] ?? null, server);
    },
    facts: async () => null,
    settle: async () => {},
    machines: null,
    vanish: null,
    calls: null,
    userVolume: null,
    close: async () => {},
  };
}, ['list', 'lost answers', 'deletion by others', 'volumes', 'groups', 'gateways']);
