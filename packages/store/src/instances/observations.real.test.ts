import { expect, it } from 'vitest';
import { insertFleet } from '../testing/insert.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  it('leases the observation of an instance that was never observed to one server at a time', async () => {
    const { engine } = (await openWorld(tests)).store;
    expect(await engine.claim('observation', 'i1', 'one', 60_000_000)).toBe(true);
    expect(await engine.claim('observation', 'i1', 'two', 60_000_000)).toBe(false);
    expect(await engine.claim('observation', 'i2', 'two', 60_000_000)).toBe(true);
    await engine.release('observation', 'i1', 'one');
    expect(await engine.claim('observation', 'i1', 'two', 60_000_000)).toBe(true);
  });

  it('stores with an observation how the agent is reached, unless that is known', async () => {
    const world = await openWorld(tests);
    const { observations, hostAccess } = world.store;
    const { instance } = await insertFleet(world, 'fleet');
    const record = {
      ...{ instanceId: instance.id, observation: { state: 'ready', machine: null } as const },
      ...{ since: 1, checkedAt: 1, error: null, nextPassAt: 2 },
    };
    const access = (path: string) => ({
      ...{ instanceId: instance.id, agentToken: 'secret' },
      access: { kind: 'socket', path } as const,
    });
    await observations.save(record, { access: null });
    expect(await hostAccess.byId(instance.id)).toBeNull();
    await observations.save(record, { access: access('/run/one') });
    await observations.save({ ...record, nextPassAt: 3 }, { access: access('/run/two') });
    expect(await hostAccess.byId(instance.id)).toMatchObject(access('/run/one'));
    const stored = await observations.ofInstance(instance.id);
    expect(stored?.observation).toMatchObject({ nextPassAt: 3 });
  });

  it('reads instances with their observations, as they are now', async () => {
    const world = await openWorld(tests);
    const { observations, engine } = world.store;
    const { instance } = await insertFleet(world, 'fleet');
    expect(await observations.ofInstance(instance.id)).toEqual({ instance, observation: null });
    const record = {
      ...{ instanceId: instance.id, observation: { state: 'missing' } as const },
      ...{ since: 1, checkedAt: 1, error: null, nextPassAt: 2 },
    };
    await observations.save(record);
    const { id, version } = instance;
    await engine.apply([{ type: 'instance.update', id, version, set: { busyBlocks: 1 } }]);
    const [found, unknown] = await Promise.all([
      observations.ofInstance(id),
      observations.ofInstance('deleted'),
    ]);
    expect(found?.instance).toMatchObject({ busyBlocks: 1, version: version + 1 });
    expect([found?.observation, unknown]).toEqual([record, null]);
  });

  it('stores nothing for an instance that was deleted', async () => {
    const { observations, hostAccess, engine } = (await openWorld(tests)).store;
    const deleted = 'deleted';
    const observation = { state: 'missing' } as const;
    const record = { instanceId: deleted, observation, since: 1, checkedAt: 1, error: null };
    const access = { kind: 'socket', path: '/run/one' } as const;
    await observations.save(
      { ...record, nextPassAt: 2 },
      { access: { instanceId: deleted, agentToken: 'secret', access } },
    );
    expect(await engine.due('observation', 2, 10)).toEqual([]);
    expect(await hostAccess.byId(deleted)).toBeNull();
  });
});
