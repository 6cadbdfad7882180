import { expect, it } from 'vitest';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  it('has the runs of a project that are in no queue, the oldest first', async () => {
    const world = await openWorld(tests);
    const { store, projectId } = world;
    const hold = { by: 'ann', since: 5 };
    await insertRun(world, { name: 'late', status: 'pending', submittedAt: 4, hold });
    await insertRun(world, { name: 'early', status: 'submitted', submittedAt: 1, hold });
    const open = { status: 'pending', dependencyState: 'open', submittedAt: 2 } as const;
    await insertRun(world, { name: 'depends', ...open });
    await insertRun(world, { name: 'kept', ...open, submittedAt: 3, dependencyState: 'unmet' });
    // Released, waiting for a time, running, ended.
    await insertRun(world, { name: 'released', ...open, dependencyState: 'met' });
    await insertRun(world, { name: 'scheduled', status: 'pending' });
    await insertRun(world, { name: 'started', status: 'running', dependencyState: 'open' });
    await insertRun(world, { name: 'ended', status: 'failed', hold });
    const { runs, total } = await store.runs.keptBack(projectId, 10);
    expect(runs.map(({ name }) => name)).toEqual(['early', 'depends', 'kept', 'late']);
    expect(runs[0]).toMatchObject({ hold, waitsFor: [], isUnmet: false, submittedAt: 1 });
    expect(runs[2]).toMatchObject({ hold: null, isUnmet: true });
    expect(total).toBe(4);
    const first = await store.runs.keptBack(projectId, 1);
    expect([first.runs.length, first.total]).toEqual([1, 4]);
    expect(await store.runs.keptBack('absent', 10)).toEqual({ runs: [], total: 0 });
  });

  it('has the unfinished jobs on instances, with their times and notices', async () => {
    const world = await openWorld(tests);
    const { instance } = await insertFleet(world, 'fleet');
    const on = { instanceId: instance.id, claimedBlocks: 2 } as const;
    const notice = { message: 'drained', requestedAt: 1, interruptAt: 2, endsAt: 3 };
    const timeLimit = { seconds: 60, stopSeconds: null };
    await insertRun(world, { name: 'train', status: 'running' }, [
      { ...on, status: 'running', provisionedAt: 7, runningAt: 8, notice, timeLimit },
    ]);
    await insertRun(world, { name: 'ended', status: 'done' }, [{ ...on, status: 'done' }]);
    const placed = await world.store.jobs.placed([instance.id], 10);
    expect(placed.jobs).toMatchObject([
      {
        ...{ runName: 'train', instanceId: instance.id, blocks: 2 },
        ...{ provisionedAt: 7, runningAt: 8, notice, timeLimit },
      },
    ]);
    expect(await world.store.jobs.placed([instance.id], 0)).toEqual({
      ...{ jobs: [], incomplete: [instance.id] },
    });
    expect(await world.store.jobs.placed([], 10)).toEqual({ jobs: [], incomplete: [] });
  });
});
