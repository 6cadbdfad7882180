import { serverAway } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { sharedRates } from './shared-rates.ts';

const RUN = 'a0b8b1c6-6f7d-4c1b-9b7e-0a9b3c1d2e3f';
const rate = { rps: 1, burst: 3 };

/** A gateway of two replicas, whose server answers so, once it is `ready`. */
function replica(answer: () => object, ready?: Promise<void>) {
  const clock = { now: 0 };
  const asked: { readonly question: object; readonly ms: number | undefined }[] = [];
  const rates = sharedRates({
    replicas: () => 2,
    now: () => clock.now,
    questions: {
      ask: async (question: object, ms?: number) => {
        asked.push({ question, ms });
        await ready;
        return answer() as never;
      },
    },
  });
  return { clock, asked, take: async (service = RUN) => await rates.take('key', rate, service) };
}

it('asks the server for requests of a service, and of a token by itself', async () => {
  const { asked, take } = replica(() => ({ granted: 1, wait_ms: 0 }));
  expect([await take(), await take('token t')]).toEqual([0, 0]);
  const question = { type: 'rate', key: 'key', rps: 1, burst: 3, most: 1, waited_ms: 0 };
  expect(asked).toEqual([
    { question: { ...question, run_id: RUN }, ms: 1000 },
    { question: { ...question, run_id: null }, ms: 1000 },
  ]);
});

it('states for how long the first request of a question has waited', async () => {
  const first = Promise.withResolvers<void>();
  const world = replica(() => ({ granted: 1, wait_ms: 0 }), first.promise);
  const waits = [world.take(), world.take()];
  world.clock.now += 40;
  first.resolve();
  expect(await Promise.all(waits)).toEqual([0, 0]);
  expect(world.asked).toMatchObject([
    { question: { most: 1, waited_ms: 0 } },
    { question: { most: 1, waited_ms: 40 } },
  ]);
});

it('does not wait again for a server that has not answered, and asks it later', async () => {
  const world = replica(() => {
    world.clock.now += 1000;
    throw serverAway();
  });
  const { clock, asked, take } = world;
  // Its part of the four requests.
  expect([await take(), await take(), (await take()) > 0]).toEqual([0, 0, true]);
  expect(asked).toHaveLength(1);
  clock.now += 5000;
  await take();
  expect(asked).toHaveLength(2);
});

it('asks with each request while there is no connection', async () => {
  const { asked, take } = replica(() => {
    throw serverAway();
  });
  expect([await take(), await take()]).toEqual([0, 0]);
  expect(asked).toHaveLength(2);
});
