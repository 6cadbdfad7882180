import type { JobRecord, RunRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

/** Read by it, a question costs whatever waits in the project, or anywhere. */
const BY_STATUS = 'jobs_status_project_id';

const REFUSED = { refusal: { kind: 'no-fleets' } } as const;

/** A run whose only job waits for capacity. */
async function waiting(
  world: World,
  name: string,
  run: Partial<RunRecord> = {},
  job: Partial<JobRecord> = {},
) {
  const { priority = 0, submittedAt: queuedAt = 1 } = run;
  const waits = { ...REFUSED, waitingSince: 5, demand: 'small', priority, queuedAt, ...job };
  return await insertRun(world, { name, ...run }, [waits]);
}

const names = (gangs: readonly { readonly run: RunRecord }[] | undefined) =>
  gangs?.map((gang) => gang.run.name).sort();

forEachStore((tests) => {
  describe('what placement reads', () => {
    it('is every gang that no pass has looked at, with all of its jobs', async () => {
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
      const snapshot = await world.store.engine.loadPlacement(world.projectId);
      const ids = snapshot?.gangs.map(({ jobs }) => jobs.map((job) => job.id)) ?? [];
      expect(ids).toHaveLength(2);
      expect(ids).toContainEqual([two.jobs[0]?.id]);
      expect(ids).toContainEqual([two.jobs[2]?.id, two.jobs[1]?.id]);
    });

    it('is of what waits the most urgent of each demand class, however much waits', async () => {
      const world = await openWorld(tests);
      for (let i = 0; i < 60; i++) await waiting(world, `small-${i}`, { submittedAt: 100 + i });
      await waiting(world, 'small-urgent', { submittedAt: 999, priority: 7 });
      await waiting(world, 'large', { submittedAt: 500 }, { demand: 'large' });
      const snapshot = await world.store.engine.loadPlacement(world.projectId);
      const found = names(snapshot?.gangs) ?? [];
      expect(found).toHaveLength(51);
      expect(found).toEqual(
        expect.arrayContaining(['large', 'small-urgent', 'small-0', 'small-48']),
      );
      expect(found).not.toContain('small-49');
      expect(snapshot?.more).toEqual(new Set(['small']));
    });

    it('is nothing where nothing waits', async () => {
      const world = await openWorld(tests);
      await insertFleet(world, 'fleet');
      expect(await world.store.engine.loadPlacement(world.projectId)).toBeNull();
      expect(await world.store.engine.loadPlacement('absent')).toBeNull();
    });

    it('is what waits in other projects for fleets that both may use', async () => {
      const { world, other, shared } = await twoProjects(tests);
      await insertRun(world, {}, [{}]);
      await waiting(world, 'theirs', { projectId: other.id });
      const snapshot = await world.store.engine.loadPlacement(world.projectId);
      expect(snapshot?.rivals.map(({ gang, fleets }) => [gang.run.name, fleets])).toEqual([
        ['theirs', [shared.fleet.id]],
      ]);
      const back = await world.store.engine.loadPlacement(other.id);
      expect(names(back?.gangs)).toEqual(['theirs']);
      expect(back?.rivals).toEqual([]);
    });
  });

  describe('what has become free', () => {
    it('wakes the projects in which something waits for that fleet, and no others', async () => {
      const { world, other, shared, own } = await twoProjects(tests);
      const { engine } = world.store;
      expect(await engine.waitingFor(`fleet:${shared.fleet.id}`)).toEqual([]);
      await insertRun(world, { name: 'ours' }, [{}]);
      expect(await engine.waitingFor(`fleet:${shared.fleet.id}`)).toEqual([world.projectId]);
      await waiting(world, 'theirs', { projectId: other.id });
      expect((await engine.waitingFor(`fleet:${shared.fleet.id}`)).sort()).toEqual(
        [world.projectId, other.id].sort(),
      );
      expect(await engine.waitingFor(`fleet:${own.fleet.id}`)).toEqual([world.projectId]);
    });

    it('wakes no project that has new runs but may not use that fleet', async () => {
      const { world, other, own } = await twoProjects(tests);
      await insertRun(world, { name: 'new', projectId: other.id }, [{}]);
      await waiting(world, 'ours');
      const { engine } = world.store;
      expect(await engine.waitingFor(`fleet:${own.fleet.id}`)).toEqual([world.projectId]);
    });

    it('of the machine of the server wakes all in which something waits', async () => {
      const { world, other } = await twoProjects(tests);
      await waiting(world, 'theirs', { projectId: other.id });
      expect(await world.store.engine.waitingFor('local')).toEqual([other.id]);
    });

    it('of what a project held wakes it and those that share fleets with it', async () => {
      const { world, other } = await twoProjects(tests);
      await waiting(world, 'theirs', { projectId: other.id });
      const { engine } = world.store;
      expect(await engine.waitingFor(`project:${world.projectId}`)).toEqual([other.id]);
      expect(await engine.waitingFor(`project:${other.id}`)).toEqual([other.id]);
    });
  });

  if (tests.dialect === 'sqlite') describe('with thousands that wait', () => queuePlans(tests));

  describe('at a start', () => {
    it('runs that only wait for capacity get no pass, but their alarm and placement', async () => {
      const world = await openWorld(tests);
      const { engine } = world.store;
      const { run: waits } = await waiting(world, 'waits', { nextPassAt: 77 });
      const { run: undecided } = await waiting(world, 'undecided', {}, { waitingSince: null });
      const { run: serves } = await insertRun(world, { name: 'serves', status: 'running' }, [
        { status: 'running' },
        { ...REFUSED, replicaNum: 1, waitingSince: 5 },
      ]);
      const woken = await engine.unfinished();
      const runs = woken.flatMap(({ kind, id }) => (kind === 'run' ? [id] : []));
      expect(runs.sort()).toEqual([undecided.id, serves.id].sort());
      expect(woken).toContainEqual({ kind: 'placement', id: world.projectId });
      expect(await engine.alarms()).toContainEqual({ kind: 'run', id: waits.id, at: 77 });
    });
  });
});

/** PostgreSQL knows how many rows have a status; SQLite takes the index that it thinks narrower. */
function queuePlans(tests: StoreTests) {
  it('a pass of placement reads its queue, and not all that waits', async () => {
    const { world, heard } = await listened(tests);
    await world.store.engine.loadPlacement(world.projectId);
    expect(await stepsOver(world, heard())).not.toContainEqual(expect.stringContaining(BY_STATUS));
  });

  it('what has become free finds its projects without reading all that waits', async () => {
    const { world, heard, fleetId } = await listened(tests);
    await world.store.engine.waitingFor(`fleet:${fleetId}`);
    await world.store.engine.waitingFor('local');
    expect(await stepsOver(world, heard())).not.toContainEqual(expect.stringContaining(BY_STATUS));
  });

  it('an explanation reads the queue, and not all that waits', async () => {
    const { world, heard, runId } = await listened(tests);
    await world.store.engine.loadExplainedRun(runId);
    expect(await stepsOver(world, heard())).not.toContainEqual(expect.stringContaining(BY_STATUS));
  });

  it('a start of the server reads what is unfinished once, and not for each run', async () => {
    const { world, heard } = await listened(tests);
    await world.store.engine.unfinished();
    const steps = await stepsOver(world, heard());
    expect(steps).not.toContainEqual(expect.stringContaining('CORRELATED'));
    expect(steps.filter((step) => step.includes(BY_STATUS))).toHaveLength(1);
  });
}

async function listened(tests: StoreTests) {
  let statements: string[] = [];
  const world = await openWorld(tests, { onStatement: (sql) => statements.push(sql) });
  const { fleet } = await insertFleet(world, 'fleet');
  const other = projectRecord(world.userId, { name: 'other' });
  await world.store.projects.insert(other);
  await world.store.exports.insert(
    { id: 'e1', projectId: world.projectId, name: 'pool', isGlobal: false, createdAt: 1 },
    { importers: [other.id], fleets: [fleet.id], gateways: [] },
  );
  const waits = { refusal: { kind: 'no-fleets' }, waitingSince: 5, demand: 'small' } as const;
  const { run } = await insertRun(world, { name: 'ours' }, [{ ...waits, queuedAt: 2 }]);
  await insertRun(world, { name: 'first' }, [{ ...waits, queuedAt: 1 }]);
  await insertRun(world, { name: 'new' }, [{}]);
  await insertRun(world, { name: 'theirs', projectId: other.id }, [waits]);
  statements = [];
  return { world, fleetId: fleet.id, runId: run.id, heard: () => statements };
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

/** How SQLite reads the jobs for these statements. */
async function stepsOver(world: World, statements: readonly string[]): Promise<string[]> {
  const reads = statements.filter((sql) => /\bjobs\b/.test(sql));
  expect(reads).not.toEqual([]);
  const plans = await Promise.all(
    reads.map((sql) => rawSql(world.url, `explain query plan ${sql}`)),
  );
  return plans.flat().map((step) => String(step.detail));
}
