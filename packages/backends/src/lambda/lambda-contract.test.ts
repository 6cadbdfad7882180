import { manualClock, startCloud } from '@dstack/testkit/cloud';
import type { BackendWorld } from '../base/testing/backend-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { lambdaAt } from './testing.ts';

/** Longer than a machine boots and ends. */
const SETTLED_S = 300;

async function world(): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality: 'lambda', clock, faults: { boot_seconds: [60, 60], delete_seconds: 20 } },
  });
  const backend = lambdaAt({ cloud, pace: passingPace(clock) });
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

describeBackend('Lambda', world, ['volumes', 'groups', 'gateways']);
