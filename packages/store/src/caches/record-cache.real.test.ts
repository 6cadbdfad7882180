import type { Change } from '@dstack/core';
import { expect, it } from 'vitest';
import { openSqlite } from '../connection/sqlite.ts';
import { parseDatabaseUrl } from '../connection/url.ts';
import { instanceTable } from '../schema/work-tables.ts';
import type { Store } from '../store.ts';
import { fleetRecord, instanceRecord, jobRecord, newEvent, runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';
import { RecordCache } from './record-cache.ts';

async function insertInstances(world: World, count: number, region = 'local') {
  const fleet = fleetRecord({ projectId: world.projectId });
  const instances = Array.from({ length: count }, (_, instanceNum) =>
    instanceRecord({ projectId: fleet.projectId, fleetId: fleet.id, instanceNum, region }),
  );
  await world.store.engine.createFleet({
    projectId: fleet.projectId,
    name: { exact: fleet.name },
    build: () => ({ fleet, instances }),
  });
  return { fleet, instances };
}

async function listed(store: Store) {
  const [fleet] = await store.fleets.list({ projectIds: null });
  return fleet?.instances ?? [];
}

const busy = (id: string, version: number): Change => ({
  type: 'instance.update',
  id,
  version,
  set: { status: 'busy' },
});

forEachStore((tests) => {
  it('returns the same record as long as nothing is written, and it cannot be changed', async () => {
    const world = await openWorld(tests);
    await insertInstances(world, 1);
    const [first] = await listed(world.store);
    const snapshot = await world.store.engine.loadCapacity(world.projectId);
    expect(snapshot.instances[0]).toBe(first);
    expect(() => Object.assign(first ?? {}, { status: 'busy' })).toThrow(TypeError);
  });

  it('returns the new record after a write, and the others unchanged', async () => {
    const world = await openWorld(tests);
    const { instances } = await insertInstances(world, 2);
    const before = await listed(world.store);
    const [one] = instances;
    expect(await world.store.engine.apply([busy(one!.id, 0)])).toBe('applied');
    const after = await listed(world.store);
    expect(after.map((instance) => instance.status)).toEqual(['busy', 'idle']);
    expect(after[1]).toBe(before[1]);
  });

  it('shows the present values of columns without a version', async () => {
    const world = await openWorld(tests);
    const { store, projectId, userId } = world;
    const run = runRecord({ projectId, userId });
    const job = jobRecord({ projectId, runId: run.id });
    await store.engine.submitRun({
      projectId,
      name: { exact: run.name },
      build: () => ({ run, jobs: [job] }),
      superseded: () => newEvent('Run deleted'),
    });
    const inactivity = async () => (await store.runs.byId(run.id))?.jobs[0]?.inactivitySecs;
    expect(await inactivity()).toBeNull();
    await store.reports.saveActivity(job.id, 30);
    expect(await inactivity()).toBe(30);
  });

  if (tests.dialect === 'postgres')
    it('sees at once what another server writes', async () => {
      const world = await openWorld(tests, { url: await tests.createDatabase() });
      const { instances } = await insertInstances(world, 1);
      expect((await listed(world.store))[0]?.status).toBe('idle');
      const other = await tests.open({ url: world.url });
      await other.engine.apply([busy(instances[0]!.id, 0)]);
      expect((await listed(world.store))[0]?.status).toBe('busy');
    });

  if (tests.dialect === 'sqlite')
    it('evicts the least recently used records', async () => {
      const world = await openWorld(tests);
      const { instances } = await insertInstances(world, 3, 'r'.repeat(100_000));
      await world.store.close();
      const url = parseDatabaseUrl(world.url);
      if (url.dialect !== 'sqlite') throw new Error('this test is for SQLite');
      const { db, close } = openSqlite(url.path, () => 0);
      try {
        // Room for two: almost all of a row is its region.
        const cache = new RecordCache(250_000);
        const read = async (num: number) => {
          const { id } = instances[num]!;
          return (await cache.read(db, instanceTable, [{ id, version: 0 }]))[0];
        };
        const first = await read(0);
        const second = await read(1);
        expect(await read(0)).toBe(first);
        await read(2);
        expect(await read(0)).toBe(first);
        expect(await read(1)).not.toBe(second);
      } finally {
        await close();
      }
    });
});
