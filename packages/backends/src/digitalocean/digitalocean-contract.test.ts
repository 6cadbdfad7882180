import { manualClock, startCloud } from '@dstack/testkit/cloud';
import type { BackendWorld } from '../base/testing/backend-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { digitalOceanAt } from './testing.ts';

/** Longer than a droplet boots and ends. */
const SETTLED_S = 300;

async function world(type: 'digitalocean' | 'amddevcloud'): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality: type, clock, faults: { boot_seconds: [60, 60], delete_seconds: 20 } },
  });
  const backend = digitalOceanAt({ cloud, url: cloud.url, type, pace: passingPace(clock) });
  return {
    ...{ backend, requirements: REQUIREMENTS, calls: cloud.calls, userVolume: null },
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      const order = newOrder(offers[0] ?? null, server);
      return { ...order, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
    },
    facts: async () => null,
    settle: async () => clock.advance(SETTLED_S),
    machines: async () => cloud.vms(),
    vanish: ({ id }) => cloud.vanish(id),
    close: () => cloud.close(),
  };
}

const LACKS = ['volumes', 'groups', 'gateways'] as const;
describeBackend('DigitalOcean', () => world('digitalocean'), LACKS);
describeBackend('AMD Developer Cloud', () => world('amddevcloud'), LACKS);
