/** AWS by moto for the suite that all adapters share. */
import { type Moto, manualClock, startAws } from '@dstack/testkit/cloud';
import type { BackendWorld } from '../../base/testing/backend-world.ts';
import { answeredOffers, newOrder, REQUIREMENTS } from '../../base/testing/orders.ts';
import { passingPace } from '../../base/testing/passing-pace.ts';
import { awsAt, REGION } from '../testing.ts';

/** Longer than a machine boots and ends. */
const SETTLED_S = 300;
const ZONE = `${REGION}a`;

export async function contractWorld(environment: string, moto: Moto): Promise<BackendWorld> {
  const clock = manualClock();
  const aws = await startAws(environment, {
    ...{ moto, clock, regions: [REGION], faults: { boot_seconds: [60, 60] } },
  });
  const backend = awsAt({ aws, pace: passingPace(clock) });
  const made = await aws.ask(REGION, 'CreateVolume', { AvailabilityZone: ZONE, Size: '5' });
  const [, volume = ''] = /<volumeId>([^<]*)/.exec(made) ?? [];
  return {
    ...{ backend, requirements: REQUIREMENTS, calls: aws.calls },
    userVolume: { id: volume, region: REGION },
    order: async (server) => {
      const offers = await answeredOffers(backend);
      // EC2 puts no machine of the types t2 and t3 into a placement group.
      const offer = offers.find(({ instance }) => instance.name.startsWith('m5')) ?? null;
      const order = newOrder(offer, server);
      return { ...order, authorizedKeys: ['ssh-ed25519 AAAAC3Nz main'] };
    },
    facts: async () => null,
    settle: async () => clock.advance(SETTLED_S),
    machines: async () => aws.vms().length,
    vanish: ({ id }) => aws.vanish(id),
    close: () => aws.close(),
  };
}
