import { manualClock, startCloud } from '@dstack/testkit/cloud';
import type { BackendWorld } from '../base/testing/backend-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS, withContainer } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { vastaiAt } from './testing.ts';

/** Longer than an instance starts and ends. */
const SETTLED_S = 300;

async function world(): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality: 'vastai', clock, faults: { boot_seconds: [60, 60], delete_seconds: 20 } },
  });
  const backend = vastaiAt({ cloud, pace: passingPace(clock) });
  return {
    ...{ backend, requirements: REQUIREMENTS, calls: cloud.calls, userVolume: null },
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return withContainer(newOrder(offers[0] ?? null, server));
    },
    facts: async () => null,
    settle: async () => clock.advance(SETTLED_S),
    machines: async () => cloud.vms(),
    vanish: ({ id }) => cloud.vanish(id),
    close: () => cloud.close(),
  };
}

describeBackend('Vast.ai', world, ['volumes', 'groups', 'gateways']);
