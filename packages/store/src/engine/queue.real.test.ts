import type { RunRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { insertFleet, insertRun, insertWaiting, WAITING } from '../testing/insert.ts';
import { waitingWork } from '../testing/pools.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { NO_HINTS, NO_MEMORY, projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

/** A query by this index reads all waiting jobs of a project, or of all projects. */
const BY_STATUS = 'jobs_status_project_id';

const names = (gangs: readonly { readonly run: RunRecord }[] | undefined) =>
  gangs?.map((gang) => gang.run.name).sort();

forEachStore((tests) => {
  describe('a snapshot for placement', () => {
    it('has every gang that no pass has examined, with all of its jobs', async () => {
      const world = await openWorld(tests);
      const { instance } = await insertFleet(world, 'fleet');
      const two = await insertRun(world, { name: 'two' }, [
        { replicaNum: 1 },
        { replicaNum: 0, jobNum: 1 },
        { replicaNum: 0, jobNum: 0 },
      ]);
      await insertRun(world, { name: 'placed' }, [{ instanceId: instance.id }]);
      await insertRun(world, { name: 'ending', status: 'terminating' }, [{}]);
      await insertRun(world, { name: 'cron', status: 'pending' });
      const snapshot = await waitingWork(world.store, world.projectId);
      const ids = snapshot?.gangs.map(({ jobs }) => jobs.map((job) => job.id)) ?? [];
      expect(ids).toHaveLength(2);
      expect(ids).toContainEqual([two.jobs[0]?.id]);
      expect(ids).toContainEqual([two.jobs[2]?.id, two.jobs[1]?.id]);
    });

    it('has the most urgent gangs of each demand class, however many wait', async () => {
      const world = await openWorld(tests);
      for (let i = 0; i < 60; i++)
        await insertWaiting(world, `small-${i}`, { submittedAt: 100 + i });
      await insertWaiting(world, 'small-urgent', { submittedAt: 999, priority: 7 });
      await insertWaiting(world, 'large', { submittedAt: 500 }, { demand: 'large' });
      const snapshot = await waitingWork(world.store, world.projectId);
      const found = names(snapshot?.gangs) ?? [];
      expect(found).toHaveLength(51);
      expect(found).toEqual(
        expect.arrayContaining(['large', 'small-urgent', 'small-0', 'small-48']),
      );
      expect(found).not.toContain('small-49');
      expect(snapshot?.more).toEqual(new Set(['small']));
    });

    it('has no gang that waits after new work alone, if nothing is free', async () => {
      const world = await openWorld(tests);
      const { instance } = await insertFleet(world, 'fleet');
      await insertWaiting(world, 'waits');
      await insertRun(world, { name: 'new' }, [{}]);
      const { engine } = world.store;
      const [pool = ''] = await engine.waitingFor({
        ...{ kind: 'project', projectId: world.projectId },
      });
      const set = { status: 'busy', busyBlocks: 1, totalBlocks: 1 } as const;
      const { id, version } = instance;
      await engine.apply([{ type: 'instance.update', id, version, set }]);
      expect(names((await engine.loadPlacement(pool, 'new'))?.gangs)).toEqual(['new']);
      expect(names((await engine.loadPlacement(pool))?.gangs)).toEqual(['new', 'waits']);
      // Without its machine it could take nothing.
      const provisioningData = { instance_type: { name: 'm' }, availability_zone: null } as never;
      const free = { status: 'idle', busyBlocks: 0, provisioningData } as const;
      await engine.apply([{ type: 'instance.update', id, version: version + 1, set: free }]);
      expect(names((await engine.loadPlacement(pool, 'new'))?.gangs)).toEqual(['new', 'waits']);
    });

    it('is null if nothing waits', async () => {
      const world = await openWorld(tests);
      await insertFleet(world, 'fleet');
      expect(await waitingWork(world.store, world.projectId)).toBeNull();
      expect(await waitingWork(world.store, 'absent')).toBeNull();
    });

    it('has the gangs of all projects that share fleets, and which fleets each may use', async () => {
      const { world, other, shared, own } = await twoProjects(tests);
      await insertRun(world, { name: 'ours' }, [{}]);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      const snapshot = await waitingWork(world.store, world.projectId);
      expect(names(snapshot?.gangs)).toEqual(['ours', 'theirs']);
      expect(snapshot?.rights).toEqual(
        new Map([
          [world.projectId, new Set([own.fleet.id, shared.fleet.id])],
          [other.id, new Set([shared.fleet.id])],
        ]),
      );
      expect(await waitingWork(world.store, other.id)).toEqual(snapshot);
    });

    it('has nothing of projects in which nothing waits', async () => {
      const { world, other, shared } = await twoProjects(tests);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      const snapshot = await waitingWork(world.store, world.projectId);
      expect([...(snapshot?.rights.keys() ?? [])]).toEqual([other.id]);
      expect(snapshot?.fleets.map(({ id }) => id)).toEqual([shared.fleet.id]);
    });
  });

  describe('capacity that becomes free', () => {
    it('wakes the pool of the fleet if something waits there', async () => {
      const { world, other, shared, own } = await twoProjects(tests);
      const { engine } = world.store;
      const ofFleet = (fleetId: string) => engine.waitingFor({ kind: 'fleet', fleetId });
      expect(await ofFleet(shared.fleet.id)).toEqual([]);
      await insertRun(world, { name: 'ours', projectId: other.id }, [{}]);
      const [pool] = await ofFleet(shared.fleet.id);
      expect(pool).toBeDefined();
      expect(await ofFleet(own.fleet.id)).toEqual([pool]);
      expect(await engine.waitingFor({ kind: 'project', projectId: other.id })).toEqual([pool]);
      expect(await engine.waitingFor({ kind: 'project', projectId: 'absent' })).toEqual([]);
    });

    it('wakes no pool in which the fleet may not be used', async () => {
      const { world, own } = await twoProjects(tests);
      const third = projectRecord(world.userId, { name: 'third' });
      await world.store.projects.insert(third);
      await insertRun(world, { name: 'new', projectId: third.id }, [{}]);
      const { engine } = world.store;
      expect(await engine.waitingFor({ kind: 'fleet', fleetId: own.fleet.id })).toEqual([]);
    });

    it('on the machine of the server wakes every pool in which something waits', async () => {
      const { world, other } = await twoProjects(tests);
      const third = projectRecord(world.userId, { name: 'third' });
      await world.store.projects.insert(third);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      await insertWaiting(world, 'thirds', { projectId: third.id });
      expect(await world.store.engine.waitingFor({ kind: 'server-host' })).toHaveLength(2);
    });
  });

  if (tests.dialect === 'sqlite')
    describe('with thousands of waiting jobs', () => queuePlans(tests));

  describe('at start-up', () => {
    it('runs that only wait for capacity get no pass; their alarm and placement are armed', async () => {
      const world = await openWorld(tests);
      const { engine } = world.store;
      const { run: waits } = await insertWaiting(world, 'waits', { nextPassAt: 77 });
      const { run: undecided } = await insertWaiting(
        world,
        'undecided',
        {},
        { waitingSince: null },
      );
      const { run: serves } = await insertRun(world, { name: 'serves', status: 'running' }, [
        { status: 'running' },
        { ...WAITING, replicaNum: 1 },
      ]);
      const woken = await engine.unfinished();
      const runs = woken.flatMap(({ kind, id }) => (kind === 'run' ? [id] : []));
      expect(runs.sort()).toEqual([undecided.id, serves.id].sort());
      const pools = await engine.waitingFor({ kind: 'project', projectId: world.projectId });
      expect(pools).toHaveLength(1);
      expect(woken).toContainEqual({ kind: 'pool', id: pools[0] });
      expect(await engine.alarms()).toContainEqual({ kind: 'run', id: waits.id, at: 77 });
    });
  });
});

/** SQLite only: PostgreSQL has statistics of how many rows have a status. */
function queuePlans(tests: StoreTests) {
  it('a placement pass reads its queue, not all waiting jobs', async () => {
    const { world, executed } = await observedWorld(tests);
    await waitingWork(world.store, world.projectId);
    expect(await stepsOver(world, executed())).not.toContainEqual(
      expect.stringContaining(BY_STATUS),
    );
  });

  it('freed capacity finds its pools without reading all waiting jobs', async () => {
    const { world, executed, fleetId } = await observedWorld(tests);
    await world.store.engine.waitingFor({ kind: 'fleet', fleetId });
    await world.store.engine.waitingFor({ kind: 'server-host' });
    expect(await stepsOver(world, executed())).not.toContainEqual(
      expect.stringContaining(BY_STATUS),
    );
  });

  it('an explanation reads the queue, not all waiting jobs', async () => {
    const { world, executed, runId } = await observedWorld(tests);
    await world.store.engine.loadExplainedRun(runId, NO_HINTS, NO_MEMORY);
    expect(await stepsOver(world, executed())).not.toContainEqual(
      expect.stringContaining(BY_STATUS),
    );
  });

  it('start-up reads the unfinished jobs once, not once per run', async () => {
    const { world, executed } = await observedWorld(tests);
    await world.store.engine.unfinished();
    const steps = await stepsOver(world, executed());
    expect(steps).not.toContainEqual(expect.stringContaining('CORRELATED'));
    expect(steps.filter((step) => step.includes(BY_STATUS))).toHaveLength(1);
  });
}

async function observedWorld(tests: StoreTests) {
  let statements: string[] = [];
  const world = await openWorld(tests, { onStatement: (sql) => statements.push(sql) });
  const { fleet } = await insertFleet(world, 'fleet');
  const other = projectRecord(world.userId, { name: 'other' });
  await world.store.projects.insert(other);
  await world.store.exports.insert(
    { id: 'e1', projectId: world.projectId, name: 'pool', isGlobal: false, createdAt: 1 },
    { importers: [other.id], fleets: [fleet.id], gateways: [] },
  );
  const { run } = await insertRun(world, { name: 'ours' }, [{ ...WAITING, queuedAt: 2 }]);
  await insertRun(world, { name: 'first' }, [{ ...WAITING, queuedAt: 1 }]);
  await insertRun(world, { name: 'new' }, [{}]);
  await insertRun(world, { name: 'theirs', projectId: other.id }, [WAITING]);
  statements = [];
  return { world, fleetId: fleet.id, runId: run.id, executed: () => statements };
}

/** The world's project uses a fleet that another exports to it, and one of its own. */
async function twoProjects(tests: Parameters<typeof openWorld>[0]) {
  const world = await openWorld(tests);
  const { store, userId, projectId } = world;
  const other = projectRecord(userId, { name: 'other' });
  await store.projects.insert(other);
  const own = await insertFleet(world, 'own');
  const shared = await insertFleet(world, 'shared', other.id);
  await store.exports.insert(
    { id: 'e1', projectId: other.id, name: 'pool', isGlobal: false, createdAt: 1 },
    { importers: [projectId], fleets: [shared.fleet.id], gateways: [] },
  );
  return { world, other, own, shared };
}

/** The steps of SQLite's plans for the statements that read jobs. */
async function stepsOver(world: World, statements: readonly string[]): Promise<string[]> {
  const reads = statements.filter((sql) => /\bjobs\b/.test(sql));
  expect(reads).not.toEqual([]);
  const plans = await Promise.all(
    reads.map((sql) => rawSql(world.url, `explain query plan ${sql}`)),
  );
  return plans.flat().map((step) => String(step.detail));
}
