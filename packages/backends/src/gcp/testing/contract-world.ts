import { manualClock, startCloud } from '@dstack/testkit/cloud';
import type { BackendWorld } from '../../base/testing/backend-world.ts';
import { answeredOffers, newOrder, REQUIREMENTS } from '../../base/testing/orders.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { gcpAt, REGION } from '../testing.ts';

/** Longer than a machine boots and ends. */
const SETTLED_S = 300;

/** An account at Google for the contract of all adapters. `send`: sends the requests; omitted = `fetch`. */
export async function gcpContractWorld(send?: typeof fetch): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality: 'gcp', clock, limits: false },
    faults: { boot_seconds: [60, 60], delete_seconds: 20 },
  });
  const backend = gcpAt({ cloud, pace: passingPace(clock), ...(send && { fetch: send }) });
  const { vms, volumes } = cloud.account;
  volumes.create({ name: 'of-a-user', region: `${REGION}-a`, sizeGib: 5, tags: [] });
  clock.advance(60);
  return {
    ...{ backend, requirements: REQUIREMENTS, calls: cloud.calls },
    userVolume: { id: 'of-a-user', region: REGION },
    order: async (server) => {
      const offers = await answeredOffers(backend);
      // Google puts no machine of the family e2 into a placement group.
      const offer = offers.find(({ instance }) => instance.name.startsWith('g2')) ?? null;
      const order = newOrder(offer, server);
      return { ...order, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
    },
    facts: async () => null,
    settle: async () => clock.advance(SETTLED_S),
    machines: async () => cloud.vms(),
    vanish: async ({ id }) => {
      const vm = vms.all().find(({ region, name }) => `${region}/${name}` === id);
      await cloud.vanish(vm?.id ?? '');
    },
    close: () => cloud.close(),
  };
}
