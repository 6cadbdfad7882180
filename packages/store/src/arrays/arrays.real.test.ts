import { directiveOf, memberRun, NO_MEMBERS, type RunRecord } from '@dstack/core';
import { expect, it, onTestFinished } from 'vitest';
import { rawSql } from '../testing/raw-sql.ts';
import { jobRecord, newEvent, runRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const MEMORY = { overQuota: new Map<string, string>() };

function arrayRun({ projectId, userId }: World, name: string, count: number): RunRecord {
  const array = { count, max_parallel: 1000, max_failures: 0 };
  const spec = { run_name: name, repo_id: 'repo', configuration: { type: 'task', array } };
  const run = runRecord({ projectId, userId, name, desiredReplicas: {} });
  return { ...run, spec: spec as unknown as RunRecord['spec'] };
}

async function submit(world: World, name: string, count = 3, limit = Infinity) {
  const run = arrayRun(world, name, count);
  const outcome = await world.store.engine.submitRun({
    ...{ projectId: world.projectId, name: { exact: name }, superseded: () => newEvent('') },
    adding: count,
    ...(limit !== Infinity && { limit: { userId: world.userId, most: limit } }),
    build: () => ({
      ...{ run, jobs: [] },
      array: { total: count, maxParallel: 1000, maxFailures: 0, directive: directiveOf(run) },
    }),
  });
  return { run, outcome };
}

const birth = (run: RunRecord, index: number) => memberRun(run, index, { now: 5, generation: 0 });

const bear = (world: World, run: RunRecord, indexes: readonly number[]) =>
  world.store.engine.apply([
    { type: 'run.update', id: run.id, version: run.version, set: {} },
    ...indexes.map((index) => ({ type: 'run.insert', run: birth(run, index) }) as const),
    { type: 'array.update', id: run.id, set: { nextPosition: indexes.length } },
  ]);

const jobOf = ({ id, projectId, name }: RunRecord) => jobRecord({ projectId, runId: id, name });

const move = (world: World, { id, version }: RunRecord, status: RunRecord['status']) =>
  world.store.engine.apply([{ type: 'run.update', id, version, set: { status } }]);

const loaded = async (world: World, { id }: RunRecord) => {
  const run = await world.store.engine.loadRun(id, MEMORY);
  if (!run) throw new Error('no run');
  return run;
};
const counts = async (world: World, run: RunRecord) => (await loaded(world, run)).array?.members;

forEachStore((tests) => {
  it('members are counted in the transaction that changes them, and no one is born twice', async () => {
    const world = await openWorld(tests);
    const { run } = await submit(world, 'sweep');
    expect(await counts(world, run)).toEqual(NO_MEMBERS);
    expect(await bear(world, run, [0, 1])).toBe('applied');
    // The pass of another server, and one that comes again after a crash.
    expect(await bear(world, run, [0, 1])).toBe('conflict');
    expect(await bear(world, (await loaded(world, run)).run, [1, 2])).toBe('conflict');
    expect(await counts(world, run)).toEqual({ ...NO_MEMBERS, pending: 2 });
    const first = (await loaded(world, birth(run, 0))).run;
    const signals: string[] = [];
    const off = world.store.engine.onSignal(({ kind, id }) => signals.push(`${kind}:${id}`));
    expect(await move(world, first, 'running')).toBe('applied');
    expect(await move(world, first, 'terminating')).toBe('conflict');
    expect(await counts(world, run)).toEqual({ ...NO_MEMBERS, pending: 1, running: 1 });
    await expect.poll(() => signals).toContain(`run:${run.id}`);
    signals.length = 0;
    await move(world, (await loaded(world, first)).run, 'terminating');
    await move(world, (await loaded(world, first)).run, 'failed');
    expect(await counts(world, run)).toEqual({ ...NO_MEMBERS, pending: 1, failed: 1 });
    await expect.poll(() => signals).toContain(`run:${run.id}`);
    off();
  });

  it('what an older server changes in members is counted by the next sweep, and signals the array', async () => {
    const statements: string[] = [];
    const world = await openWorld(tests, { onStatement: (text) => statements.push(text) });
    const { run } = await submit(world, 'sweep');
    await bear(world, run, [0, 1]);
    await move(world, (await loaded(world, birth(run, 1))).run, 'done');
    // Makes the last count one of another time: the rows of members say in which status they are counted.
    await rawSql(
      world.url,
      `update runs set counted_status = 'running' where id = '${birth(run, 1).id}'`,
    );
    await rawSql(world.url, 'update run_arrays set running = 1, done = 0');
    const signals: string[] = [];
    onTestFinished(world.store.engine.onSignal(({ kind, id }) => signals.push(`${kind}:${id}`)));
    await world.store.engine.countOverlooked();
    expect(await counts(world, run)).toEqual({ ...NO_MEMBERS, pending: 1, done: 1 });
    await expect.poll(() => signals).toContain(`run:${run.id}`);
    // Each sweep looks for more.
    statements.length = 0;
    await world.store.engine.countOverlooked();
    expect(statements).toHaveLength(1);
    if (tests.dialect === 'postgres') return;
    const plan = await rawSql(world.url, `explain query plan ${statements[0]}`);
    expect(plan).toEqual([
      expect.objectContaining({ detail: expect.stringContaining('runs_uncounted') }),
    ]);
  });

  it('a member obeys a directive once, and until then its array finds it', async () => {
    const world = await openWorld(tests);
    const { run } = await submit(world, 'sweep');
    await bear(world, run, [0, 1]);
    const parent = (await loaded(world, run)).run;
    const directive = { ...directiveOf(parent), priority: 7 };
    await world.store.engine.apply([
      { type: 'run.update', id: run.id, version: parent.version, set: {} },
      { type: 'array.update', id: run.id, set: { generation: 1, directive } },
    ]);
    const ids = [0, 1].map((index) => birth(run, index).id);
    expect([...((await loaded(world, run)).array?.behind ?? [])].sort()).toEqual(ids);
    const member = await loaded(world, birth(run, 0));
    expect(member.directive).toEqual({ generation: 1, wanted: directive });
    const { id, version } = member.run;
    await world.store.engine.apply([{ type: 'run.update', id, version, set: { arraySeen: 1 } }]);
    expect((await loaded(world, birth(run, 0))).directive).toBeUndefined();
    expect((await loaded(world, run)).array?.behind).toEqual([ids[1]]);
  });

  it('the limit of waiting runs counts all that may wait of an array, born or not', async () => {
    const world = await openWorld(tests);
    expect((await submit(world, 'large', 11, 10)).outcome).toMatchObject({
      ...{ type: 'too-many-waiting', waiting: 0 },
    });
    const { run } = await submit(world, 'first', 6, 10);
    expect((await submit(world, 'second', 5, 10)).outcome).toMatchObject({ waiting: 6 });
    await bear(world, run, [0, 1]);
    expect((await submit(world, 'second', 5, 10)).outcome).toMatchObject({ waiting: 6 });
    await move(world, (await loaded(world, birth(run, 0))).run, 'running');
    expect((await submit(world, 'second', 5, 10)).outcome.type).toBe('submitted');
  });

  it('shows the members of a page of arrays with as many statements as those of one', async () => {
    const statements: string[] = [];
    const world = await openWorld(tests, { onStatement: (text) => statements.push(text) });
    const arrays: RunRecord[] = [];
    for (const name of ['first', 'second', 'third']) {
      const { run } = await submit(world, name, 12);
      const indexes = [...Array(12).keys()];
      await bear(world, run, indexes);
      await move(world, (await loaded(world, birth(run, 11))).run, 'running');
      const jobs = indexes.map((index) => jobOf(birth(run, index)));
      await world.store.engine.apply(jobs.map((job) => ({ type: 'job.insert', job })));
      arrays.push(run);
    }
    const list = async (limit: number) => {
      statements.length = 0;
      const filter = { projectIds: [world.projectId], includeJobs: true, page: { limit } };
      return { views: await world.store.runs.list(filter), count: statements.length };
    };
    // Records are read once, then kept.
    await list(3);
    const [one, all] = [await list(1), await list(3)];
    expect(all.views).toHaveLength(3);
    for (const { run, jobs } of all.views) {
      // The one that runs, and the first of the others.
      const shown = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11];
      expect(jobs.map(({ name }) => name)).toEqual(shown.map((index) => `${run.name}-${index}`));
      expect(jobs.every((job) => job.runId === run.id)).toBe(true);
    }
    expect(all.count).toBe(one.count);
  });

  it('is listed and deleted as one, with jobs of some members', async () => {
    const world = await openWorld(tests);
    const { run } = await submit(world, 'sweep');
    await bear(world, run, [0, 1, 2]);
    const { runs } = world.store;
    const projectIds = [world.projectId];
    const listed = await runs.list({ projectIds, includeJobs: true, page: { limit: 10 } });
    expect(listed.map((view) => [view.run.name, view.array?.members.pending])).toEqual([
      ['sweep', 3],
    ]);
    const members = await runs.list({ projectIds, arrayId: run.id, page: { limit: 2 } });
    expect(members).toHaveLength(2);
    expect(await runs.activeCounts(projectIds)).toEqual([{ status: 'submitted', count: 1 }]);
    for (const one of [run, ...[0, 1, 2].map((index) => birth(run, index))]) {
      await move(world, (await loaded(world, one)).run, 'done');
    }
    expect((await runs.delete(world.projectId, ['sweep'], () => newEvent(''))).type).toBe(
      'deleted',
    );
    expect(await runs.byName(world.projectId, 'sweep-1')).toBeNull();
  });

  it('is deleted in pieces, each a transaction of its own, once it has ended', async () => {
    const world = await openWorld(tests);
    const indexes = [0, 1, 2, 3, 4];
    const { run } = await submit(world, 'sweep', indexes.length);
    await bear(world, run, indexes);
    const members = indexes.map((index) => birth(run, index));
    const { runs, engine } = world.store;
    const running = { provisionedAt: 5, status: 'done' } as const;
    await engine.apply(
      members.map((one) => ({ type: 'job.insert', job: { ...jobOf(one), ...running } })),
    );
    for (const one of members) await move(world, (await loaded(world, one)).run, 'done');
    const left = async () =>
      (await runs.byNames(world.projectId, ['sweep', ...members.map(({ name }) => name)])).length;
    expect(await runs.deleteMembers(run.id, null, 2)).toBeNull();
    await move(world, (await loaded(world, run)).run, 'done');
    const first = await runs.deleteMembers(run.id, null, 2);
    expect(await left()).toBe(4);
    const pending = 'select key from pending_deletions';
    expect(await rawSql(world.url, pending)).toHaveLength(2);
    const second = await runs.deleteMembers(run.id, first, 2);
    const third = await runs.deleteMembers(run.id, second, 2);
    expect(await left()).toBe(1);
    expect(await runs.deleteMembers(run.id, third, 2)).toBeNull();
    // After a crash between two of them, the next request goes on.
    expect(await runs.deleteMembers(run.id, null, 2)).toBeNull();
    await runs.delete(world.projectId, ['sweep'], () => newEvent(''));
    expect(await left()).toBe(0);
    expect(await rawSql(world.url, pending)).toHaveLength(5);
  });
});
