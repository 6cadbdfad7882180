import { isInstanceActive } from '@dstack/contract/status';
import type { Change, Id, InstanceRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertFleet } from '../testing/insert.ts';
import { instanceRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

/** The instances of a project that passes read, and the rows of a fleet. */
async function views(store: Store, projectId: Id, fleetId: Id) {
  const { instances } = await store.engine.loadCapacity(projectId);
  const fleet = await store.engine.loadFleet(fleetId);
  return { seen: instances, there: fleet?.instances ?? [] };
}

async function fleetOf(world: World, count: number) {
  const { fleet, instance } = await insertFleet(world, 'fleet');
  const part = { projectId: world.projectId, fleetId: fleet.id };
  const more = Array.from({ length: count - 1 }, (_, i) =>
    instanceRecord({ ...part, instanceNum: i + 1 }),
  );
  const changes = more.map((one): Change => ({ type: 'instance.insert', instance: one }));
  expect(await world.store.engine.apply(changes)).toBe('applied');
  return { fleet, instances: [instance, ...more] };
}

const update = (one: InstanceRecord, set: Partial<InstanceRecord>, version = 0): Change => ({
  ...{ type: 'instance.update', id: one.id, version, set },
});

forEachStore((tests) => {
  it('passes see instances as they are after each kind of write', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const { fleet, instances } = await fleetOf(world, 4);
    const [a, b, c, d] = instances as [
      InstanceRecord,
      InstanceRecord,
      InstanceRecord,
      InstanceRecord,
    ];
    const later = instanceRecord({ projectId, fleetId: fleet.id, instanceNum: 2 });
    const steps: Change[][] = [
      [update(a, { busyBlocks: 1, status: 'busy' })],
      [update(b, { unreachable: true }), update(a, { busyBlocks: 0, status: 'idle' }, 1)],
      [update(c, { status: 'terminated', deleted: true, deletedAt: 5 })],
      [{ type: 'instance.insert', instance: later }],
      [{ type: 'instance.delete', id: d.id, version: 0 }],
    ];
    const before = await views(store, projectId, fleet.id);
    expect(before.seen).toEqual(before.there);
    for (const changes of steps) {
      expect(await store.engine.apply(changes)).toBe('applied');
      const { seen, there } = await views(store, projectId, fleet.id);
      expect(seen).toEqual(there);
      const snapshot = await store.engine.loadInstance(a.id);
      expect(snapshot?.activeInFleet).toBe(
        there.filter(({ status }) => isInstanceActive(status)).length,
      );
    }
    expect((await views(store, projectId, fleet.id)).seen.map(({ id }) => id)).toEqual([
      ...[a.id, b.id, later.id],
    ]);
  });

  it('a write that is rolled back changes nothing for passes', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const { fleet, instances } = await fleetOf(world, 2);
    const [a, b] = instances as [InstanceRecord, InstanceRecord];
    await views(store, projectId, fleet.id);
    const changes = [update(a, { busyBlocks: 1 }), update(b, { busyBlocks: 1 }, 7)];
    expect(await store.engine.apply(changes)).toBe('conflict');
    const { seen, there } = await views(store, projectId, fleet.id);
    expect(seen).toEqual(there);
    // The version that was rolled back is given again, with another content.
    await store.engine.apply([update(a, { unreachable: true })]);
    expect((await views(store, projectId, fleet.id)).seen[0]).toMatchObject({
      ...{ version: 1, unreachable: true, busyBlocks: 0 },
    });
  });

  it('passes see what each server writes', async () => {
    const world = await openWorld(tests);
    const { store, projectId, url } = world;
    const other = tests.dialect === 'postgres' ? await tests.open({ url }) : store;
    const { fleet, instances } = await fleetOf(world, 3);
    const versions = [0, 0, 0];
    for (const at of [0, 2, 0, 1, 2]) {
      const [writer, reader] = at === 0 ? [store, other] : [other, store];
      const one = instances[at] as InstanceRecord;
      const version = versions[at] ?? 0;
      versions[at] = version + 1;
      expect(await writer.engine.apply([update(one, { busyBlocks: version + 1 }, version)])).toBe(
        'applied',
      );
      const { seen, there } = await views(reader, projectId, fleet.id);
      expect(seen).toEqual(there);
      expect(seen[at]?.busyBlocks).toBe(version + 1);
    }
  });
});
