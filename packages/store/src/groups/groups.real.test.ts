import { randomUUID } from 'node:crypto';
import type { FleetRecord, GroupRecord } from '@dstack/core';
import { groupRecord } from '@dstack/core/testing';
import { expect, it } from 'vitest';
import { fleetRecord, instanceRecord, intentRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

async function insertGroup(world: World, part: Partial<GroupRecord> = {}) {
  const { store, projectId } = world;
  const configuration = { type: 'fleet', name: 'fleet', placement: 'cluster' };
  const spec = { configuration, profile: null } as unknown as FleetRecord['spec'];
  const fleet = fleetRecord({ projectId, spec });
  const planned = instanceRecord({ projectId, fleetId: fleet.id, status: 'pending' });
  const ready = instanceRecord({ projectId, fleetId: fleet.id, instanceNum: 1 });
  const group = groupRecord({
    ...{ id: randomUUID(), projectId, fleetId: fleet.id, nextPassAt: 5, version: 0 },
    ...{ handle: null, status: 'creating', memberIds: [planned.id, ready.id], ...part },
  });
  const { engine } = store;
  await engine.createFleet({
    ...{ projectId, name: { exact: fleet.name } },
    build: () => ({ fleet, instances: [planned, ready] }),
  });
  const order = intentRecord(group.id, {
    ...{ key: `group.create:${group.id}:0`, kind: 'group.create' },
    payload: { kind: 'group.create', offers: [], maxTries: 1, totalOffers: 0 },
  });
  const creation = (id: string) =>
    intentRecord(id, { key: `instance.create:${id}:0`, kind: 'instance.create' });
  await engine.apply([
    { type: 'group.insert', group },
    ...[order, creation(planned.id), creation(ready.id)].map(
      (intent) => ({ type: 'intent.insert', intent }) as const,
    ),
  ]);
  return { fleet, planned, ready, group, order };
}

forEachStore((tests) => {
  it('reads a group with its fleet, and with the orders of those that may wait for it', async () => {
    const world = await openWorld(tests);
    const { group, fleet, planned, order } = await insertGroup(world);
    const snapshot = await world.store.engine.loadGroup(group.id);
    expect(snapshot?.group).toEqual(group);
    expect(snapshot?.fleet.id).toBe(fleet.id);
    expect(snapshot?.instances).toHaveLength(2);
    expect(snapshot?.intents.map(({ key }) => key).sort()).toEqual(
      [order.key, `instance.create:${planned.id}:0`].sort(),
    );
    expect(await world.store.groups.byId(group.id)).toMatchObject({
      ...{ group: { name: group.name }, fleetName: fleet.name },
    });
    expect((await world.store.engine.loadFleet(fleet.id))?.groups).toEqual([group]);
  });

  it('updates a group only if it is unchanged since it was read', async () => {
    const world = await openWorld(tests);
    const { engine, groups, sweeps } = world.store;
    const { group } = await insertGroup(world);
    const handle = { id: 'pg-1', data: null };
    const change = { type: 'group.update', id: group.id, version: group.version } as const;
    expect(await engine.apply([{ ...change, set: { status: 'ready', handle } }])).toBe('applied');
    expect(await engine.apply([{ ...change, set: { status: 'failed' } }])).not.toBe('applied');
    expect((await groups.byId(group.id))?.group).toMatchObject({ status: 'ready', handle });
    expect([...(await sweeps.knownIds('aws')).group]).toEqual(['pg-1']);
  });

  it('omits a deleted group from its fleet and from the expected resources of the backend', async () => {
    const world = await openWorld(tests);
    const handle = { id: 'pg-1', data: null };
    const { group, fleet } = await insertGroup(world, { status: 'deleted', handle, deleted: true });
    expect((await world.store.engine.loadFleet(fleet.id))?.groups).toEqual([]);
    expect((await world.store.sweeps.knownIds('aws')).group.size).toBe(0);
    expect((await world.store.engine.loadGroup(group.id))?.group.deleted).toBe(true);
  });

  it('still reads a group whose fleet was deleted before it', async () => {
    const world = await openWorld(tests);
    const { group, fleet } = await insertGroup(world);
    const { id, version } = fleet;
    await world.store.engine.apply([
      { type: 'fleet.update', id, version, set: { deleted: true, status: 'terminated' } },
    ]);
    expect((await world.store.engine.loadGroup(group.id))?.fleet.deleted).toBe(true);
    expect((await world.store.groups.byId(group.id))?.fleetName).toBe(fleet.name);
  });
});
