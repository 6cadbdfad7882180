import type { RunRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { insertFleet, insertRun, insertWaiting, WAITING } from '../testing/insert.ts';
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
      const snapshot = await world.store.engine.loadPlacement(world.projectId, NO_HINTS);
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
      const snapshot = await world.store.engine.loadPlacement(world.projectId, NO_HINTS);
      const found = names(snapshot?.gangs) ?? [];
      expect(found).toHaveLength(51);
      expect(found).toEqual(
        expect.arrayContaining(['large', 'small-urgent', 'small-0', 'small-48']),
      );
      expect(found).not.toContain('small-49');
      expect(snapshot?.more).toEqual(new Set(['small']));
    });

    it('is null if nothing waits', async () => {
      const world = await openWorld(tests);
      await insertFleet(world, 'fleet');
      expect(await world.store.engine.loadPlacement(world.projectId, NO_HINTS)).toBeNull();
      expect(await world.store.engine.loadPlacement('absent', NO_HINTS)).toBeNull();
    });

    it('has gangs of other projects that wait for fleets that both may use', async () => {
      const { world, other, shared } = await twoProjects(tests);
      await insertRun(world, {}, [{}]);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      const snapshot = await world.store.engine.loadPlacement(world.projectId, NO_HINTS);
      expect(snapshot?.rivals.map(({ gang, fleets }) => [gang.run.name, fleets])).toEqual([
        ['theirs', [shared.fleet.id]],
      ]);
      const back = await world.store.engine.loadPlacement(other.id, NO_HINTS);
      expect(names(back?.gangs)).toEqual(['theirs']);
      expect(back?.rivals).toEqual([]);
    });
  });

  describe('capacity that becomes free', () => {
    it('wakes the projects that wait for the fleet, and no others', async () => {
      const { world, other, shared, own } = await twoProjects(tests);
      const { engine } = world.store;
      expect(await engine.waitingFor(`fleet:${shared.fleet.id}`)).toEqual([]);
      await insertRun(world, { name: 'ours' }, [{}]);
      expect(await engine.waitingFor(`fleet:${shared.fleet.id}`)).toEqual([world.projectId]);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      expect((await engine.waitingFor(`fleet:${shared.fleet.id}`)).sort()).toEqual(
        [world.projectId, other.id].sort(),
      );
      expect(await engine.waitingFor(`fleet:${own.fleet.id}`)).toEqual([world.projectId]);
    });

    it('wakes no project that has new runs but may not use that fleet', async () => {
      const { world, other, own } = await twoProjects(tests);
      await insertRun(world, { name: 'new', projectId: other.id }, [{}]);
      await insertWaiting(world, 'ours');
      const { engine } = world.store;
      expect(await engine.waitingFor(`fleet:${own.fleet.id}`)).toEqual([world.projectId]);
    });

    it('on the machine of the server wakes every project that waits', async () => {
      const { world, other } = await twoProjects(tests);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      expect(await world.store.engine.waitingFor('local')).toEqual([other.id]);
    });

    it('in place of a hold wakes the project and those that share its fleets', async () => {
      const { world, other } = await twoProjects(tests);
      await insertWaiting(world, 'theirs', { projectId: other.id });
      const { engine } = world.store;
      expect(await engine.waitingFor(`project:${world.projectId}`)).toEqual([other.id]);
      expect(await engine.waitingFor(`project:${other.id}`)).toEqual([other.id]);
    });

    it('that was reserved for a project and is no longer needed wakes the others', async () => {
      const { world, other } = await twoProjects(tests);
      await insertWaiting(world, 'ours');
      await insertWaiting(world, 'theirs', { projectId: other.id });
      const { engine } = world.store;
      expect(await engine.waitingFor(`others:${world.projectId}`)).toEqual([other.id]);
      expect(await engine.waitingFor(`others:${other.id}`)).toEqual([world.projectId]);
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
      expect(woken).toContainEqual({ kind: 'placement', id: world.projectId });
      expect(await engine.alarms()).toContainEqual({ kind: 'run', id: waits.id, at: 77 });
    });
  });
});

/** SQLite only: PostgreSQL has statistics of how many rows have a status. */
function queuePlans(tests: StoreTests) {
  it('a placement pass reads its queue, not all waiting jobs', async () => {
    const { world, executed } = await observedWorld(tests);
    await world.store.engine.loadPlacement(world.projectId, NO_HINTS);
    expect(await stepsOver(world, executed())).not.toContainEqual(
      expect.stringContaining(BY_STATUS),
    );
  });

  it('freed capacity finds its projects without reading all waiting jobs', async () => {
    const { world, executed, fleetId } = await observedWorld(tests);
    await world.store.engine.waitingFor(`fleet:${fleetId}`);
    await world.store.engine.waitingFor('local');
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
