import type { HostFacts } from '@dstack/contract/agent';
import type { HostInput } from '@dstack/core';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder } from '../base/testing/orders.ts';
import { remoteBackend } from './remote.ts';

const FACTS: HostFacts = {
  hostname: 'gpu-1',
  arch: 'x86',
  cpus: 8,
  memory_bytes: 2 ** 34,
  disk_bytes: 2 ** 38,
  addresses: ['10.0.0.7/24'],
  gpus: [],
  gpu_driver: null,
  ssh_host_key: null,
};

describeBackend('SSH hosts', async () => {
  /** The hosts that fleets name, as the server's database has them. */
  const hosts = new Map<string, Omit<HostInput, 'facts'>>();
  const backend = remoteBackend({
    hostOf: async (instanceId) => hosts.get(instanceId) ?? null,
    removeAgent: async (instanceId) => void hosts.delete(instanceId),
    volumes: null,
  });
  return {
    backend,
    requirements: null,
    order: async (server) => {
      const order = newOrder(null, server);
      const { instanceId } = order;
      const host = { hostname: `${hosts.size}.example`, user: 'root', port: 22, internalIp: null };
      const question = { instanceId, host: { ...host, proxyJump: null }, network: null };
      hosts.set(instanceId, { ...question, blocks: 1, price: 0 });
      return order;
    },
    facts: async () => FACTS,
    settle: async () => {},
    machines: async () => hosts.size,
    vanish: async ({ id }) => void hosts.delete(id),
    calls: null,
    userVolume: null,
    close: async () => {},
  };
}, ['offers', 'list', 'lost answers', 'volumes', 'groups', 'gateways']);
