import { type Cloud, type CloudOptions, manualClock, startCloud } from '@dstack/testkit/cloud';
import type { Backend } from '../port.ts';
import type { BackendWorld } from './backend-world.ts';
import { newOrder, REQUIREMENTS, withContainer } from './orders.ts';
import { passingPace } from './passing-pace.ts';

/** Seconds: longer than a container starts and ends. */
const SETTLED_S = 300;

/** For the contract of a cloud that rents containers: `open` opens its backend at the simulated cloud. */
export async function containerWorld(
  personality: CloudOptions['personality'],
  open: (at: { readonly cloud: Cloud; readonly pace: ReturnType<typeof passingPace> }) => Backend,
): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality, clock, faults: { boot_seconds: [60, 60], delete_seconds: 20 } },
  });
  const backend = open({ cloud, pace: passingPace(clock) });
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
