import { NO_FAULTS, SIM_OFFERS } from '@dstack/backends/sim';
import { newOrder } from '@dstack/backends/testing';
import { Random } from '@dstack/testkit/random';
import { expect, test } from 'vitest';
import { SimWorld } from './sim-backends.ts';
import { SimClock } from './sim-clock.ts';

test('a machine that has ended stays off, also for a server that opens a link to it later', async () => {
  const world = emptyWorld();
  const [offer] = SIM_OFFERS;
  if (!offer) throw new Error('there is no offer');
  const order = newOrder(offer);
  const host = () => world.host(order.instanceId, { cpus: 1, gpus: 0 }, 'docker');
  const machine = await world.provider.create(order, offer);
  await world.provider.address(machine);
  expect(host().isReachable).toBe(true);

  await world.provider.vanish(machine);
  host().setReachable(true);
  expect(host().isReachable).toBe(false);
  expect(world.hosts.size).toBe(0);
});

function emptyWorld(): SimWorld {
  return new SimWorld({
    ...{ clock: new SimClock(), random: new Random(1) },
    hostFaults: { lostAnswer: 0, refusal: 0, crash: 0 },
    cloudFaults: NO_FAULTS,
    databaseFaults: { lostCall: 0, lostAnswer: 0 },
    watch: {
      onStarted() {},
      onVolumeMissing() {},
      onDetaching() {},
      onVolumeDeleted() {},
    },
  });
}
