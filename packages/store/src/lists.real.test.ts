/** Lists of runs, fleets and instances as the API shows them. */
import type { JobRecord, RunRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import type { RunFilter } from './runs/types.ts';
import { insertFleetWithNodes, insertRun } from './testing/insert.ts';
import { projectRecord, userRecord } from './testing/records.ts';
import { forEachStore, openWorld } from './testing/stores.ts';

forEachStore((tests) => {
  it('filters runs by project, user, repo and activity, deleted ones included', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const bob = userRecord({ name: 'bob' });
    await store.users.insert(bob);
    const other = projectRecord(bob.id, { name: 'other' });
    await store.projects.insert(other);
    const configuration = { type: 'task' };
    const spec = { repo_id: 'special', configuration } as unknown as RunRecord['spec'];
    await insertRun(world, { name: 'a', submittedAt: 1, status: 'done' });
    await insertRun(world, { name: 'a', submittedAt: 2, spec });
    await insertRun(world, { name: 'b', submittedAt: 3, userId: bob.id });
    await insertRun(world, { name: 'c', submittedAt: 4, projectId: other.id, status: 'failed' });
    const list = async (filter: Partial<RunFilter>) =>
      (await store.runs.list({ projectIds: [projectId], ...filter })).map(({ run }) => [
        ...[run.name, run.submittedAt],
      ]);
    expect(await list({})).toEqual([
      ['b', 3],
      ['a', 2],
      ['a', 1],
    ]);
    expect(await list({ onlyActive: true })).toEqual([
      ['b', 3],
      ['a', 2],
    ]);
    expect(await list({ userId })).toEqual([
      ['a', 2],
      ['a', 1],
    ]);
    expect(await list({ repoId: 'special' })).toEqual([['a', 2]]);
    expect(await list({ projectIds: null, page: { limit: 1 } })).toEqual([['c', 4]]);
    expect(await list({ page: { after: { at: 3 }, limit: 1 } })).toEqual([['a', 2]]);
    expect(await list({ projectIds: [] })).toEqual([]);
    expect(await list({ projectIds: null, onlyFailed: true })).toEqual([['c', 4]]);
    expect(await list({ onlyFailed: true })).toEqual([]);
    expect(await store.runs.activeCounts([projectId])).toEqual([{ status: 'submitted', count: 2 }]);
    expect(await store.runs.activeCounts([])).toEqual([]);
    await store.projects.delete([other.id]);
    expect(await list({ projectIds: null })).toHaveLength(3);
    expect((await store.runs.active(projectId)).map((run) => run.name)).toEqual(['a', 'b']);
    expect((await store.runs.byNames(projectId, ['a', 'b', 'x'])).length).toBe(2);
    const unfinished = await store.runs.unfinishedCounts();
    const own = unfinished.filter((row) => row.projectId === projectId);
    const each = { projectId, status: 'submitted', count: 1 };
    expect(own).toHaveLength(2);
    expect(own).toEqual(
      expect.arrayContaining([
        { ...each, userId },
        { ...each, userId: bob.id },
      ]),
    );
    expect(await store.runs.unfinishedNames(projectId, ['a', 'b', 'c', 'x'])).toHaveLength(2);
  });

  it('counts ended runs by project, user and status in pieces of time', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    for (let n = 1; n <= 7; n++) {
      const status = n % 2 ? 'done' : 'failed';
      await insertRun(world, { name: `run-${n}`, status, lastProcessedAt: n * 10 });
    }
    await insertRun(world, { name: 'active', lastProcessedAt: 5 });
    const seen: (readonly [string, number])[][] = [];
    for (let from: number | null = 0; from !== null; ) {
      const piece: Awaited<ReturnType<typeof store.runs.endedCounts>> =
        await store.runs.endedCounts(from, 70, 3);
      expect(
        piece.counts.every((one) => one.userId === userId && one.projectId === projectId),
      ).toBe(true);
      seen.push(piece.counts.map(({ status, count }) => [status, count] as const).sort());
      from = piece.next;
    }
    expect(seen).toEqual([
      [
        ['done', 2],
        ['failed', 1],
      ],
      [
        ['done', 1],
        ['failed', 2],
      ],
    ]);
  });

  it('pages through the runs of several projects, each of them once and in order', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const other = projectRecord(userId, { name: 'other' });
    const foreign = projectRecord(userId, { name: 'foreign' });
    for (const project of [other, foreign]) await store.projects.insert(project);
    const projects = [projectId, other.id, foreign.id];
    // Several are submitted in the same moment.
    for (let n = 0; n < 12; n++) {
      const of = {
        projectId: projects[n % 3] ?? '',
        status: n % 4 === 0 ? 'done' : 'failed',
      } as const;
      await insertRun(world, { name: `run-${n}`, submittedAt: Math.floor(n / 4), ...of });
    }
    for (const onlyFailed of [false, true]) {
      for (const ascending of [false, true]) {
        const filter = { projectIds: [projectId, other.id], onlyFailed };
        const all = await store.runs.list({ ...filter, page: { ascending } });
        const paged: typeof all = [];
        for (;;) {
          const last = paged.at(-1)?.run;
          const after = last ? { at: last.submittedAt, id: last.id } : null;
          const page = await store.runs.list({ ...filter, page: { ascending, limit: 3, after } });
          if (page.length === 0) break;
          paged.push(...page);
        }
        const names = (views: typeof all) => views.map(({ run }) => run.name);
        expect(names(paged)).toEqual(names(all));
        expect(names(all)).toHaveLength(onlyFailed ? 6 : 8);
      }
    }
  });

  it('shows the requested number of submissions per job, oldest first', async () => {
    const world = await openWorld(tests);
    const { fleet } = await insertFleetWithNodes(world, { name: 'pool' });
    await insertRun(world, { name: 'train', fleetId: fleet.id }, [
      { jobNum: 1, submissionNum: 0 },
      { jobNum: 0, submissionNum: 2 },
      { jobNum: 0, submissionNum: 0 },
      { jobNum: 0, submissionNum: 1 },
    ]);
    const shown = async (part: Partial<RunFilter>) => {
      const [view] = await world.store.runs.list({ projectIds: null, includeJobs: true, ...part });
      return view?.jobs.map((job) => [job.jobNum, job.submissionNum]);
    };
    expect(await shown({})).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ]);
    expect(await shown({ submissionsLimit: 2 })).toEqual([
      [0, 1],
      [0, 2],
      [1, 0],
    ]);
    expect(await shown({ submissionsLimit: 0 })).toEqual([
      [0, 2],
      [1, 0],
    ]);
    expect(await shown({ includeJobs: false })).toEqual([]);
    const [view] = await world.store.runs.list({ projectIds: null });
    expect(view?.fleet).toEqual({ id: fleet.id, name: 'pool' });
  });

  it('finds jobs with their run, the latest of a replica, and those on a host', async () => {
    const world = await openWorld(tests);
    const { jobs, engine } = world.store;
    const { fleet } = await insertFleetWithNodes(world, { name: 'pool' });
    const { instances } = await insertFleetWithNodes(world, { name: 'hosted' });
    await engine.apply([
      { type: 'instance.update', id: instances[0]!.id, version: 0, set: { hostId: 'h' } },
    ]);
    const claim = { instanceId: instances[0]!.id };
    const { run, jobs: records } = await insertRun(world, { fleetId: fleet.id }, [
      { ...claim, status: 'failed' },
      { ...claim, submissionNum: 1, status: 'running' },
    ]);
    const [old, current] = records;
    expect(await jobs.byId(current!.id)).toEqual({
      ...{ job: current, run, projectName: 'main', userName: 'alice' },
    });
    expect(await jobs.byId('absent')).toBeNull();
    expect(await jobs.latest(run.id, 0, 0)).toEqual(current);
    expect(await jobs.latest(run.id, 1, 0)).toBeNull();
    expect(await jobs.onHost('h')).toEqual([current]);
    const here = [{ id: current!.id, ...claim }];
    expect(await jobs.onInstances([claim.instanceId, 'absent'], 10)).toEqual(here);
    expect(await jobs.onInstances([claim.instanceId], 0)).toEqual([]);
    expect((await jobs.running()).map((view) => view.job.id)).toEqual([current!.id]);
    expect(await jobs.ofRun(run.id)).toEqual([old, current]);
    expect(await world.store.instances.onHost('h')).toHaveLength(1);
    expect(await world.store.runs.lastSubmittedAt(world.projectId)).toBe(1_000_000);
  });

  it('keeps probes of jobs and finds the ones that are due', async () => {
    const world = await openWorld(tests);
    const { jobs, runs } = world.store;
    const spec = { probes: [{}, {}, {}] } as unknown as JobRecord['spec'];
    const { jobs: records } = await insertRun(world, { name: 'web' }, [
      { status: 'running', spec },
    ]);
    const jobId = records[0]!.id;
    const probe = (probeNum: number, due: number | null) => ({
      ...{ id: `p${probeNum}`, jobId, probeNum, successStreak: 0, due },
    });
    const probes = [probe(0, 10), probe(1, 20), probe(2, null)];
    await jobs.insertProbes(probes);
    await jobs.insertProbes([{ ...probe(0, 99), id: 'again' }]);
    expect(await jobs.probes([jobId])).toEqual(probes);
    expect((await jobs.dueProbes(20, 10)).map((p) => p.id)).toEqual(['p0', 'p1']);
    expect(await jobs.nextDueProbe()).toBe(10);
    await jobs.saveProbe({ id: 'p0', jobId, successStreak: 3, due: 30 });
    expect(await jobs.nextDueProbe()).toBe(20);
    expect((await runs.byName(world.projectId, 'web'))?.probes).toEqual({ [jobId]: [3, 0, 0] });
  });

  it('lists fleets with their instances, and imported ones on demand', async () => {
    const world = await openWorld(tests);
    const { store, userId, projectId } = world;
    const other = projectRecord(userId, { name: 'other' });
    await store.projects.insert(other);
    const own = await insertFleetWithNodes(world, { name: 'own' }, [1, 0]);
    const lent = await insertFleetWithNodes(world, { name: 'lent', projectId: other.id });
    await store.exports.insert(
      { id: 'e', projectId: other.id, name: 'pool', isGlobal: false, createdAt: 1 },
      { importers: [projectId], fleets: [lent.fleet.id], gateways: [] },
    );
    const [view, ...rest] = await store.fleets.list({ projectIds: [projectId] });
    expect(rest).toEqual([]);
    expect(view).toEqual({
      ...{ fleet: own.fleet, projectName: 'main' },
      instances: [own.instances[1], own.instances[0]],
    });
    const names = async (part: object) =>
      (await store.fleets.list({ projectIds: [projectId], ...part }))
        .map(({ fleet }) => fleet.name)
        .toSorted();
    expect(await names({ includeImported: true })).toEqual(['lent', 'own']);
    expect(await names({ projectIds: null })).toEqual(['lent', 'own']);
    await store.engine.updateFleet(own.fleet.id, ({ fleet }) => ({
      changes: [
        {
          type: 'fleet.update',
          id: fleet.id,
          version: fleet.version,
          set: { deleted: true, status: 'terminated' },
        },
      ],
    }));
    expect(await names({})).toEqual(['own']);
    expect(await names({ onlyActive: true })).toEqual([]);
    expect(await store.fleets.byName(projectId, 'own')).toBeNull();
    expect((await store.fleets.byId(own.fleet.id))?.fleet.deleted).toBe(true);
    expect(await store.exports.isImported('fleet', lent.fleet.id, [projectId])).toBe(true);
    expect(await store.exports.isImported('fleet', own.fleet.id, [projectId])).toBe(false);
  });

  it('lists instances with names, by project, fleet and activity', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const one = await insertFleetWithNodes(world, { name: 'one' }, [0, 1]);
    const two = await insertFleetWithNodes(world, { name: 'two' });
    await store.engine.updateInstance(one.instances[1]!.id, ({ instance }) => ({
      changes: [
        {
          type: 'instance.update',
          id: instance.id,
          version: instance.version,
          set: { status: 'terminated', deleted: true },
        },
      ],
    }));
    const count = async (part: object) =>
      (await store.instances.list({ projectIds: [projectId], ...part })).length;
    expect(await count({})).toBe(3);
    expect(await count({ onlyActive: true })).toBe(2);
    expect(await count({ fleetIds: [two.fleet.id] })).toBe(1);
    expect(await count({ fleetIds: [] })).toBe(0);
    expect(await count({ projectIds: null, page: { limit: 2 } })).toBe(2);
    const { id } = two.instances[0]!;
    expect(await store.instances.byId(id)).toEqual({
      ...{ instance: two.instances[0], projectName: 'main', fleet: two.fleet },
    });
    expect(await store.instances.byNum(one.fleet.id, 1)).toBeNull();
    expect(await store.instances.byNum(one.fleet.id, 0)).toEqual(one.instances[0]);
  });

  it('finds the active instances that a backend has made', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const { instances } = await insertFleetWithNodes(world, { name: 'made' }, [0, 1, 2, 3]);
    const handle = (id: string) => ({ handle: { id, data: null } });
    const set = [
      handle('a'),
      { ...handle('b'), status: 'terminating' } as const,
      { ...handle('c'), status: 'terminated', deleted: true } as const,
    ];
    await store.engine.apply(
      set.map((part, index) => ({
        ...{ type: 'instance.update', id: instances[index]!.id, version: 0, set: part },
      })),
    );
    const [first] = instances;
    expect(await store.instances.madeBy(projectId, 'local')).toEqual([
      { id: first!.id, ...handle('a') },
    ]);
    expect(await store.instances.madeBy(projectId, 'aws')).toEqual([]);
    expect(await store.instances.madeBy('other', 'local')).toEqual([]);
  });

  it('names what prevents the deletion of a fleet', async () => {
    const world = await openWorld(tests);
    const { fleet, instances } = await insertFleetWithNodes(world, { name: 'pool' }, [0, 1, 2]);
    const set = [
      { busyBlocks: 1 },
      { status: 'pending', provisioningJobId: 'j' } as const,
      { status: 'pending' } as const,
    ];
    await world.store.engine.apply(
      instances.map(({ id }, index) => ({
        ...{ type: 'instance.update', id, version: 0, set: set[index]! },
      })),
    );
    await insertRun(world, { name: 'r', fleetId: fleet.id, status: 'pending' });
    const use = await world.store.fleets.use(fleet.id);
    expect(use.runs).toEqual([{ name: 'r', projectId: fleet.projectId }]);
    expect(use.busyInstances.toSorted()).toEqual([instances[0]!.id, instances[1]!.id].toSorted());
  });

  it('finds SSH fleets', async () => {
    const world = await openWorld(tests);
    await insertFleetWithNodes(world, { name: 'cloud' });
    const spec = { configuration: { ssh_config: { hosts: ['h'] } } };
    const ssh = await insertFleetWithNodes(world, { name: 'ssh', ...{ spec: spec as never } });
    expect(await world.store.fleets.sshFleets()).toEqual([ssh.fleet]);
  });
});
