import { describe, expect, it } from 'vitest';
import { insertFleet } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

forEachStore((tests) => {
  describe('pools', () => {
    it('connect a project with its fleets', async () => {
      const world = await openWorld(tests);
      await insertFleet(world, 'own');
      expect(await poolsIn(world)).toEqual([['main', 'own']]);
    });

    it('connect what an export connects, and fall apart with it', async () => {
      const { world, exported } = await twoProjects(tests);
      expect(await poolsIn(world)).toEqual([['main', 'other', 'own', 'theirs']]);
      await exported.delete();
      expect(await poolsIn(world)).toEqual([
        ['main', 'own'],
        ['other', 'theirs'],
      ]);
    });

    it('end with the last project that uses them', async () => {
      const world = await openWorld(tests);
      const guest = projectRecord(world.userId, { name: 'guest' });
      await world.store.projects.insert(guest);
      expect(await poolsIn(world)).toEqual([['guest'], ['main']]);
      await world.store.projects.delete([guest.id]);
      expect(await poolsIn(world)).toEqual([['main']]);
    });

    it('fall apart with the end of the fleet, and of the import', async () => {
      const { world, fleet, exported } = await twoProjects(tests);
      const { store } = world;
      const version = (await store.fleets.byId(fleet.id))?.fleet.version ?? 0;
      const set = { deleted: true };
      await store.engine.apply([{ type: 'fleet.update', id: fleet.id, version, set }]);
      expect(await poolsIn(world)).toEqual([['main', 'own'], ['other']]);
      await exported.delete();
      const again = await twoProjects(tests);
      const [imported] = await again.world.store.exports.imports(again.world.projectId);
      await again.world.store.exports.deleteImport(imported?.id ?? '', {});
      expect(await poolsIn(again.world)).toHaveLength(2);
    });

    it('connect the projects that share the machine of the server', async () => {
      const world = await openWorld(tests);
      const { store, userId } = world;
      await store.projects.insert(projectRecord(userId, { name: 'lab' }));
      await store.projects.insert(projectRecord(userId, { name: 'apart' }));
      const share = (...names: string[]) =>
        store.pools.shareServerHost({ hostId: 'local-1', projects: new Set(names) });
      await share('main', 'lab', 'later');
      expect(await poolsIn(world)).toEqual([['apart'], ['lab', 'main']]);
      await store.projects.insert(projectRecord(userId, { name: 'Later' }));
      expect(await poolsIn(world)).toEqual([['Later', 'lab', 'main'], ['apart']]);
      await share();
      expect(await poolsIn(world)).toHaveLength(4);
    });

    it('stay the same when servers whose machines are shared by different projects change rights in turn', async () => {
      const world = await openWorld(tests);
      const { store, userId } = world;
      for (const name of ['lab', 'guest', 'apart']) {
        await store.projects.insert(projectRecord(userId, { name }));
      }
      await store.pools.shareServerHost({ hostId: 'local-1', projects: new Set(['main', 'lab']) });
      const other = { hostId: 'local-2', projects: new Set(['guest', 'lab']) };
      const second = tests.dialect === 'postgres' ? await tests.open({ url: world.url }) : store;
      await second.pools.shareServerHost(other);
      const all = [['apart'], ['guest', 'lab', 'main']];
      expect(await poolsIn(world)).toEqual(all);
      const [pool] = await rowsOf(world);
      await store.pools.shareServerHost(null);
      await second.pools.shareServerHost(other);
      expect(await poolsIn(world)).toEqual(all);
      expect(await rowsOf(world)).toContainEqual(pool);
    });

    it('forget the machine of a server that has not renewed its record for a day', async () => {
      let now = 1_800_000_000_000_000;
      const world = await openWorld(tests, { now: () => now });
      const { store, userId } = world;
      await store.projects.insert(projectRecord(userId, { name: 'lab' }));
      await store.pools.shareServerHost({ hostId: 'local-1', projects: new Set(['main', 'lab']) });
      now += 23 * 3600 * 1_000_000;
      await store.pools.shareServerHost(null);
      expect(await poolsIn(world)).toHaveLength(1);
      now += 2 * 3600 * 1_000_000;
      await store.pools.shareServerHost(null);
      expect(await poolsIn(world)).toHaveLength(2);
    });

    it('keep their id while they grow, and have a new version with each change', async () => {
      const world = await openWorld(tests);
      const [before] = await rowsOf(world);
      await insertFleet(world, 'own');
      const [after] = await rowsOf(world);
      expect(after?.id).toBe(before?.id);
      expect(Number(after?.version)).toBeGreaterThan(Number(before?.version));
      await world.store.pools.shareServerHost(null);
      expect(await rowsOf(world)).toEqual([after]);
    });

    it('are examined again if they have changed, and only then', async () => {
      const { world, exported } = await twoProjects(tests);
      const woken: string[] = [];
      world.store.engine.onSignal(({ kind, id }) => kind === 'pool' && woken.push(id));
      await exported.delete();
      const now = (await rowsOf(world)).map(({ id }) => String(id)).sort();
      await expect.poll(() => woken.toSorted()).toEqual(now);
    });

    it('refuse a decision that was made on the rights before a change', async () => {
      const { world, exported } = await twoProjects(tests);
      const [pool] = await rowsOf(world);
      const check = {
        type: 'pool.check',
        id: String(pool?.id),
        version: Number(pool?.version),
      } as const;
      expect(await world.store.engine.apply([check])).toBe('applied');
      await exported.delete();
      expect(await world.store.engine.apply([check])).toBe('conflict');
    });

    it('refuse it also where the members stay the same', async () => {
      const { world, other } = await twoProjects(tests);
      const { store, projectId } = world;
      const more = await insertFleet(world, 'more', other.id);
      await store.exports.insert(
        { id: 'e2', projectId: other.id, name: 'more', isGlobal: false, createdAt: 2 },
        { importers: [projectId], fleets: [more.fleet.id], gateways: [] },
      );
      const checked = async () => {
        const [pool] = await rowsOf(world);
        const version = Number(pool?.version);
        return { type: 'pool.check', id: String(pool?.id), version } as const;
      };
      const members = await poolsIn(world);
      const changes = [
        () => store.exports.update('e2', { removeFleets: [more.fleet.id] }, {}),
        async () => {
          const [first] = await store.exports.imports(projectId);
          await store.exports.deleteImport(first?.id ?? '', {});
        },
      ];
      for (const change of changes) {
        const check = await checked();
        await change();
        expect(await store.engine.apply([check])).toBe('conflict');
        expect(await poolsIn(world)).toEqual(members);
      }
    });
  });
});

/** `main` owns a fleet, and imports one of `other`. */
async function twoProjects(tests: StoreTests) {
  const world = await openWorld(tests);
  const { store, userId, projectId } = world;
  const other = projectRecord(userId, { name: 'other' });
  await store.projects.insert(other);
  await insertFleet(world, 'own');
  const { fleet } = await insertFleet(world, 'theirs', other.id);
  await store.exports.insert(
    { id: 'e1', projectId: other.id, name: 'pool', isGlobal: false, createdAt: 1 },
    { importers: [projectId], fleets: [fleet.id], gateways: [] },
  );
  const exported = { delete: () => store.exports.delete('e1', {}) };
  return { world, fleet, other, exported };
}

const rowsOf = (world: World) => rawSql(world.url, 'select id, version from pools order by id');

/** The names of the members of each pool. */
async function poolsIn(world: World): Promise<string[][]> {
  const rows = await rawSql(
    world.url,
    `select pool_id, name from projects where not deleted
      union all select pool_id, name from fleets where not deleted`,
  );
  const known = new Set((await rowsOf(world)).map(({ id }) => id));
  const pools = Map.groupBy(rows, ({ pool_id: id }) => String(id));
  expect(new Set(pools.keys())).toEqual(known);
  return [...pools.values()]
    .map((own) => own.map(({ name }) => String(name)).sort())
    .sort((a, b) => (String(a) < String(b) ? -1 : 1));
}
