import { describe, expect, it } from 'vitest';
import { insertFleet, insertRun, insertWaiting, WAITING } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { NO_HINTS, NO_MEMORY, projectRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

forEachStore((tests) => {
  describe('the input of an explanation', () => {
    it('has the position of the run in its demand class, and the runs ahead', async () => {
      const world = await openWorld(tests);
      const { store } = world;
      for (let i = 0; i < 60; i++) await insertWaiting(world, `w-${i}`, { submittedAt: 100 + i });
      await insertWaiting(world, 'urgent', { submittedAt: 999, priority: 7 });
      await insertWaiting(world, 'larger', { submittedAt: 1 }, { demand: 'large' });
      const { run, jobs } = await insertWaiting(world, 'late', { submittedAt: 500 });
      const found = await store.engine.loadExplainedRun(run.id, NO_HINTS, NO_MEMORY);
      expect(found?.places).toMatchObject([{ jobId: jobs[0]?.id, ahead: 61 }]);
      expect(found?.places[0]?.first.map((one) => one.name)).toEqual([
        ...['urgent', 'w-0', 'w-1', 'w-2', 'w-3'],
      ]);
      const first = found?.places[0]?.first[0];
      expect(first).toMatchObject({ projectId: world.projectId, priority: 7, submittedAt: 999 });
      expect(found?.run.run.name).toBe('late');
      const urgent = (await store.runs.byNames(world.projectId, ['urgent']))[0];
      const ahead = await store.engine.loadExplainedRun(urgent?.id ?? '', NO_HINTS, NO_MEMORY);
      expect(ahead?.places).toMatchObject([{ ahead: 0, first: [] }]);
    });

    it('counts the turns of all users of a project where a pool is shared by weight', async () => {
      const world = await openWorld(tests);
      const { store, projectId, userId } = world;
      const bob = userRecord({ name: 'bob' });
      await store.users.insert(bob);
      const whole = { projectId, fleetId: null, userId: null };
      await store.quotas.apply([
        { place: whole, terms: { guaranteed: null, limits: null, weight: 1 } },
      ]);
      await insertFleet(world, 'hosts');
      const first = await insertWaiting(world, 'first', { submittedAt: 1 });
      await insertWaiting(world, 'second', { submittedAt: 2, userId: bob.id });
      await insertWaiting(world, 'third', { submittedAt: 3, userId: bob.id });
      await rawSql(
        world.url,
        `insert into shares (project_id, user_id, used, rate, settled_at)
          values ('${projectId}', '${userId}', 1.5, 0, 9007199254740991)`,
      );
      const found = await store.engine.loadExplainedRun(first.run.id, NO_HINTS, NO_MEMORY);
      const [place] = found?.places ?? [];
      expect(place?.ahead).toBe(2);
      expect(place?.first.map(({ name }) => name)).toEqual(['second', 'third']);
    });

    it('has the position of one replica per demand class, however many wait', async () => {
      let statements: string[] = [];
      const world = await openWorld(tests, { onStatement: (sql) => statements.push(sql) });
      const jobs = Array.from({ length: 40 }, (_, replicaNum) => ({
        ...{ ...WAITING, queuedAt: 1, replicaNum },
        demand: replicaNum % 2 === 0 ? 'small' : 'large',
      }));
      const { run } = await insertRun(world, { name: 'service' }, jobs.toReversed());
      statements = [];
      const found = await world.store.engine.loadExplainedRun(run.id, NO_HINTS, NO_MEMORY);
      expect(found?.places).toMatchObject([{ ahead: 0 }, { ahead: 0 }]);
      expect(statements.filter((sql) => sql.includes('count(*)'))).toHaveLength(2);
    });

    it('has all capacity that the run may use, whether or not something waits', async () => {
      const world = await openWorld(tests);
      const { store, userId } = world;
      const other = projectRecord(userId, { name: 'other' });
      await store.projects.insert(other);
      const { fleet, instance } = await insertFleet(world, 'fleet');
      await store.exports.insert(
        { id: 'e1', projectId: world.projectId, name: 'pool', isGlobal: false, createdAt: 1 },
        { importers: [other.id], fleets: [fleet.id], gateways: [] },
      );
      await occupy(world, instance.id);
      await insertRun(world, { name: 'theirs', projectId: other.id, status: 'running' }, [
        { instanceId: instance.id, claimedBlocks: 1, status: 'running' },
      ]);
      const { run } = await insertRun(world, { name: 'done', status: 'done' }, [
        { status: 'done', instanceId: null },
      ]);
      const found = await store.engine.loadExplainedRun(run.id, NO_HINTS, NO_MEMORY);
      expect(found?.queue.gangs).toEqual([]);
      expect(found?.queue.instances.map((one) => one.id)).toEqual([instance.id]);
      expect(found?.holders).toMatchObject([
        { instanceId: instance.id, blocks: 1, run: { name: 'theirs', projectId: other.id } },
      ]);
      expect(found?.projectNames).toEqual({ [world.projectId]: 'main', [other.id]: 'other' });
      expect(await store.engine.loadExplainedRun('absent', NO_HINTS, NO_MEMORY)).toBeNull();
    });

    it('does not count finished jobs as holders of an instance', async () => {
      const world = await openWorld(tests);
      const { instance } = await insertFleet(world, 'fleet');
      await insertRun(world, { name: 'ended', status: 'done' }, [
        { instanceId: instance.id, status: 'done', claimedBlocks: 1 },
      ]);
      expect(await world.store.engine.blockHolders([instance.id])).toEqual([]);
      expect(await world.store.engine.blockHolders([])).toEqual([]);
    });
  });
});

async function occupy({ store }: World, instanceId: string): Promise<void> {
  const view = await store.instances.byId(instanceId);
  await store.engine.apply([
    {
      type: 'instance.update',
      id: instanceId,
      version: view?.instance.version ?? 0,
      set: { status: 'busy', busyBlocks: 1 },
    },
  ]);
}
