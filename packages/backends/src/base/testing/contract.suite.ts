import type { InstanceHandle } from '@dstack/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackendError, NoAnswerError } from '../errors.ts';
import type {
  CreatedInstance,
  InstanceOrder,
  InstancePort,
  Observation,
} from '../instance-port.ts';
import { type BackendWorld, OTHER_SERVER, OUR_SERVER } from './backend-world.ts';
import { describeGateways } from './gateway-contract.ts';
import { describeGroups } from './group-contract.ts';
import { releaseFully } from './release-fully.ts';
import { describeVolumes } from './volume-contract.ts';

/** The most calls of one operation; an adapter that needs more has another fault. */
const MAX_STEPS = 50;

/** The parts that a world of an adapter does not have. `list`: it lists no instances. */
export type Lack =
  | 'offers'
  | 'list'
  | 'lost answers'
  | 'deletion by others'
  | 'volumes'
  | 'groups'
  | 'gateways';

/**
 * The behaviour of every adapter, whatever the source of its machines. `lacks`: parts that do not
 * exist there, and so have no tests.
 */
export function describeBackend(
  name: string,
  open: () => Promise<BackendWorld>,
  lacks: readonly Lack[] = [],
): void {
  const unlessLacking = (lack: Lack, title: string, test: () => Promise<void>): void => {
    if (!lacks.includes(lack)) it(title, test);
  };

  describe(`the port, over ${name}`, () => {
    let world: BackendWorld;
    let instances: InstancePort;
    beforeEach(async () => {
      world = await open();
      if (world.backend.instances === null) throw new Error('the backend creates no instances');
      ({ instances } = world.backend);
    });
    afterEach(() => world.close());

    const observe = async (handle: InstanceHandle): Promise<Observation> =>
      await instances.observe(handle, { facts: await world.facts(handle) });
    const ours = async () => await instances.list({ server: OUR_SERVER });

    async function created(server?: string): Promise<CreatedInstance & { order: InstanceOrder }> {
      const order = await world.order(server);
      return { ...(await instances.create(order)), order };
    }

    const released = (handle: InstanceHandle) => releaseFully(world, handle);

    unlessLacking(
      'offers',
      'offers what satisfies the requirements, the cheapest first unless it ranks them',
      async () => {
        const { backend, requirements } = world;
        if (requirements === null) throw new Error('the world has no offers');
        const { offers, isRanked } = await backend.offers(requirements.met);
        expect(offers.length).toBeGreaterThan(0);
        expect(new Set(offers.map((offer) => offer.backend))).toEqual(new Set([backend.name]));
        const prices = offers.map(({ price }) => price);
        if (!isRanked) expect(prices).toEqual([...prices].sort((a, b) => a - b));
        expect((await backend.offers(requirements.unmet)).offers).toEqual([]);
      },
    );

    it('has every permission that it needs', async () => {
      const results = await world.backend.check();
      expect(results.filter(({ ok }) => !ok)).toEqual([]);
    });

    it('reports an instance as ready with a way to its agent, and as pending until then', async () => {
      const { handle, order } = await created();
      const before = await observe(handle);
      expect(['pending', 'ready']).toContain(before.state);
      if (before.state === 'pending') expect(before.text).not.toBe('');
      await world.settle();
      const ready = await observe(handle);
      expect(ready.state).toBe('ready');
      if (ready.state !== 'ready' || world.backend.capabilities.owner !== 'provider') return;
      // For other instances the server has the access already.
      expect(ready.access).not.toBeNull();
      expect(ready.machine?.provisioningData).toMatchObject({
        hostname: expect.any(String),
        price: order.offer?.price,
      });
    });

    it('creates one machine for one key, however often it is ordered', async () => {
      const first = await created();
      const again = await Promise.all([1, 2, 3].map(() => instances.create(first.order)));
      for (const { handle, hostId } of again) {
        expect({ handle, hostId }).toEqual({ handle: first.handle, hostId: first.hostId });
      }
      if (world.machines) expect(await world.machines()).toBe(1);
      const other = await created();
      expect(other.handle.id).not.toBe(first.handle.id);
      if (world.machines) expect(await world.machines()).toBe(2);
    });

    unlessLacking(
      'list',
      'finds an instance whose handle was never stored by the key of its order',
      async () => {
        const { order, handle } = await created();
        const { owner, key } = order;
        expect(await ours()).toEqual([{ handle, owner, key }]);
        expect((await instances.create(order)).handle).toEqual(handle);
        await released(handle);
        expect(await ours()).toEqual([]);
      },
    );

    unlessLacking(
      'lost answers',
      'adopts what an order without an answer has created',
      async () => {
        const { calls, machines } = world;
        if (calls === null || machines === null) throw new Error('no answer can be lost');
        const order = await world.order();
        calls.fail(0, 'lost');
        await expect(instances.create(order)).rejects.toThrow(NoAnswerError);
        calls.heal();
        const { handle } = await instances.create(order);
        expect(await machines()).toBe(1);
        await released(handle);
        expect(await machines()).toBe(0);
      },
    );

    unlessLacking(
      'list',
      'lists its own instances and no others, as long as they exist',
      async () => {
        const [first, second] = [await created(), await created()];
        const foreign = await created(OTHER_SERVER);
        const ids = async () => (await ours()).map(({ handle }) => handle.id).sort();
        expect(await ids()).toEqual([first.handle.id, second.handle.id].sort());
        await released(first.handle);
        expect(await ids()).toEqual([second.handle.id]);
        const others = await instances.list({ server: OTHER_SERVER });
        expect(others.map(({ owner }) => owner)).toEqual([foreign.order.owner]);
      },
    );

    it('releases an instance once, and reports it as released from then on', async () => {
      const { handle } = await created();
      const other = await created();
      await world.settle();
      await released(handle);
      await released(handle);
      if (world.machines === null) return;
      expect(await world.machines()).toBe(1);
      expect(await observe(handle)).toEqual({ state: 'missing' });
      expect((await observe(other.handle)).state).toBe('ready');
    });

    it('releases an instance that is not ready yet', async () => {
      const { handle } = await created();
      await released(handle);
      if (world.machines) expect(await world.machines()).toBe(0);
    });

    unlessLacking(
      'deletion by others',
      'reports an instance as missing that was deleted without the adapter, and releases it',
      async () => {
        if (world.vanish === null)
          throw new Error('instances cannot be deleted without the adapter');
        const { handle } = await created();
        await world.settle();
        await world.vanish(handle);
        expect(await observe(handle)).toEqual({ state: 'missing' });
        await released(handle);
        expect(await ours()).toEqual([]);
      },
    );

    const failures = lacks.includes('lost answers') ? [] : (['refused', 'lost'] as const);
    it.each(failures)('leaves nothing behind when a step of a creation is %s', async (how) => {
      const { calls, machines } = world;
      if (calls === null || machines === null) throw new Error('no call can fail');
      for (let step = 0; step < MAX_STEPS; step++) {
        const order = await world.order();
        calls.fail(step, how);
        const answer = await instances.create(order).catch((error: unknown) => error);
        calls.heal();
        if (!(answer instanceof Error)) {
          expect(step).toBeGreaterThan(0);
          return;
        }
        expect(answer).toBeInstanceOf(BackendError);
        // Whether it was carried out is unknown: the server repeats the order, then ends it.
        if (answer instanceof NoAnswerError) await released((await instances.create(order)).handle);
        expect(await machines()).toBe(0);
        expect(await ours()).toEqual([]);
      }
      throw new Error(`a creation has more than ${MAX_STEPS} steps`);
    });

    it.each(failures)(
      'finishes a release of which a step was %s when it is repeated',
      async (how) => {
        const { calls, machines } = world;
        if (calls === null || machines === null) throw new Error('no call can fail');
        for (let step = 0; step < MAX_STEPS; step++) {
          const { handle } = await created();
          await world.settle();
          calls.fail(step, how);
          const answer = await released(handle).catch((error: unknown) => error);
          calls.heal();
          await released(handle);
          expect(await machines()).toBe(0);
          if (!(answer instanceof Error)) return;
        }
        throw new Error(`a release has more than ${MAX_STEPS} steps`);
      },
    );

    if (!lacks.includes('volumes')) describeVolumes(() => world);
    if (!lacks.includes('groups')) describeGroups(() => world);
    if (!lacks.includes('gateways')) describeGateways(() => world);
  });
}
