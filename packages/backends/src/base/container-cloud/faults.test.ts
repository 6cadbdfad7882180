/** Orders of containers while the provider loses, delays and refuses calls: each makes one, and nothing is left. */
import { Requirements } from '@dstack/contract/wire';
import { type CloudKnobs, manualClock, startCloud } from '@dstack/testkit/cloud';
import { expect, it, onTestFinished } from 'vitest';
import { runpodAt } from '../../runpod/testing.ts';
import { vastaiAt } from '../../vastai/testing.ts';
import { BackendError, NoCapacityError, SkipOfferError } from '../errors.ts';
import type { CreatedInstance, InstanceOrder } from '../instance-port.ts';
import type { Backend } from '../port.ts';
import { newOrder, withContainer } from '../testing/orders.ts';
import { passingPace } from '../testing/passing-pace.ts';

const REQUIREMENTS = Requirements.parse({
  resources: { cpu: '2..', memory: '1GB..', disk: '1GB..' },
});
const ORDERS = 4;
const MOST_ATTEMPTS = 60;

const FAULTS: Readonly<Record<string, CloudKnobs>> = {
  'lost answers': { lost_response: 0.4 },
  'lost requests': { lost_request: 0.4 },
  'lost answers and late lists': { lost_response: 0.4, eventual_seconds: 15 },
  'too many calls': { rate_limit: 0.4 },
  'too many calls, without the time to wait': { rate_limit: 0.4, bare_rate_limit: true },
  'errors of its own': { error: 0.3 },
  'no capacity now and then': { no_capacity: 0.4 },
  'ends that have no effect at first': { slow_release: 0.6, delete_seconds: 20 },
  'everything at once': {
    ...{ lost_response: 0.2, lost_request: 0.1, rate_limit: 0.2, error: 0.1, no_capacity: 0.1 },
    ...{ eventual_seconds: 10, slow_release: 0.3, delete_seconds: 10 },
  },
};

const CLOUDS = { runpod: runpodAt, vastai: vastaiAt } as const;
const CASES = (Object.keys(CLOUDS) as (keyof typeof CLOUDS)[]).flatMap((personality) =>
  Object.entries(FAULTS).map(([name, faults]) => ({ personality, name, faults })),
);

it.each(CASES)('$personality with $name: each order makes one container', async (one) => {
  const { personality, faults } = one;
  const clock = manualClock();
  const cloud = await startCloud({ personality, clock, limits: false, seed: 7 });
  onTestFinished(() => cloud.close());
  const pace = passingPace(clock);
  const backend = CLOUDS[personality]({ cloud, pace });
  const answer = await backend.offers(REQUIREMENTS);
  // Some serve one order only, on demand or as spot.
  const offers = [...new Map(answer.offers.map((one) => [one.instance.name, one])).values()];
  cloud.faults.set({ boot_seconds: [5, 5], ...faults });
  for (let number = 0; number < ORDERS; number++) {
    const order = withContainer(newOrder(offers[number % offers.length] ?? null));
    const { handle } = await persistently(order, backend, () => clock.advance(5));
    await until(
      async () => (await backend.instances?.release(handle)) === 'released',
      () => clock.advance(15),
    );
  }
  // A container that was made late is ended as a second one of its order, or by the key of its order.
  await until(
    async () => cloud.vms() === 0,
    () => clock.advance(30),
  );
  const made = cloud.history().filter((event) => event.startsWith('+'));
  expect(made).toHaveLength(ORDERS);
});

/** As the server repeats it: after `NoCapacityError` and `SkipOfferError` there is no container of this order. */
async function persistently(
  order: InstanceOrder,
  { instances }: Backend,
  wait: () => void,
): Promise<CreatedInstance> {
  let mayExist = false;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    try {
      const created = await instances?.create({ ...order, mayExist });
      if (created) return created;
    } catch (error) {
      expect(error).toBeInstanceOf(BackendError);
      mayExist = !(error instanceof NoCapacityError || error instanceof SkipOfferError);
      wait();
    }
  }
  throw new Error('the order is never carried out');
}

async function until(isSo: () => Promise<boolean>, wait: () => void): Promise<void> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    if (await isSo().catch(() => false)) return;
    wait();
  }
  throw new Error('it never happens');
}
