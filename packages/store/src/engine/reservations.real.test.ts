import { expect, it } from 'vitest';
import { insertFleet, insertRun, insertWaiting } from '../testing/insert.ts';
import { waitingWork } from '../testing/pools.ts';
import { NO_HINTS, NO_MEMORY } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

const LIMIT = { seconds: 60, stopSeconds: null } as const;

forEachStore((tests) => {
  it('a snapshot for placement has the jobs with an end, counted since they run', async () => {
    const world = await openWorld(tests);
    const { instance } = await insertFleet(world, 'fleet');
    const placed = { instanceId: instance.id, claimedBlocks: 1, provisionedAt: 3 };
    await insertRun(world, { name: 'starts' }, [{ ...placed, timeLimit: LIMIT }]);
    await insertRun(world, { name: 'runs' }, [{ ...placed, runningAt: 7, timeLimit: LIMIT }]);
    await insertRun(world, { name: 'endless' }, [{ ...placed, runningAt: 7 }]);
    const { run } = await insertWaiting(world, 'waits');
    const occupants = [7, null].map((runningAt) => ({
      ...{ instanceId: instance.id, blocks: 1, startedAt: 3, runningAt },
      limit: LIMIT,
    }));
    const found = (await waitingWork(world.store, world.projectId))?.occupants ?? [];
    expect(found).toHaveLength(2);
    expect(found).toEqual(expect.arrayContaining(occupants));
    const explained = await world.store.engine.loadExplainedRun(run.id, NO_HINTS, NO_MEMORY);
    expect(explained?.queue.occupants).toHaveLength(2);
  });

  it('the queue of a pool has its first gangs in their order, and all that wait are counted', async () => {
    const world = await openWorld(tests);
    await insertFleet(world, 'fleet');
    await insertWaiting(world, 'late', { submittedAt: 30 });
    await insertWaiting(world, 'early', { submittedAt: 10 });
    await insertWaiting(world, 'urgent', { submittedAt: 40, priority: 9 });
    await insertRun(world, { name: 'new', submittedAt: 20 }, [{ queuedAt: 20 }, { jobNum: 1 }]);
    const { engine } = world.store;
    const queue = await engine.loadPoolQueue(world.projectId, 3);
    expect(queue.gangs.map((gang) => gang.run.name).sort()).toEqual(['early', 'new', 'urgent']);
    expect([queue.total, queue.fleets.length]).toEqual([4, 1]);
    expect(queue.userNames).toEqual({ [world.userId]: 'alice' });
    expect(queue.projectNames).toEqual({ [world.projectId]: 'main' });
  });

  it('the queue of a pool in which nothing waits has the capacity of the project', async () => {
    const world = await openWorld(tests);
    await insertFleet(world, 'fleet');
    const queue = await world.store.engine.loadPoolQueue(world.projectId, 3);
    expect([queue.total, queue.gangs, queue.fleets.length]).toEqual([0, [], 1]);
  });

  it('the queue of a pool, and an explanation, have the jobs with places if one has been asked to leave, also without a guarantee', async () => {
    const world = await openWorld(tests);
    const { instance } = await insertFleet(world, 'fleet');
    const placed = { instanceId: instance.id, claimedBlocks: 1, provisionedAt: 3, runningAt: 7 };
    const { run: asker } = await insertWaiting(
      world,
      'asker',
      { priority: 9 },
      { reclaim: { since: 8, runs: [], instances: [instance.id], shares: [] } },
    );
    const kind = 'priority' as const;
    const eviction = { runId: asker.id, replicaNum: 0, kind, requestedAt: 8, seconds: 60 };
    await insertRun(world, { name: 'leaves' }, [{ ...placed, eviction }]);
    const { engine } = world.store;
    const queue = await engine.loadPoolQueue(world.projectId, 3);
    expect(queue.claims).toMatchObject([{ instanceId: instance.id, blocks: 1, eviction }]);
    const explained = await engine.loadExplainedRun(asker.id, NO_HINTS, NO_MEMORY);
    expect(explained?.queue.claims).toHaveLength(1);
  });

  it('it has none for new work alone', async () => {
    const world = await openWorld(tests);
    await insertFleet(world, 'fleet');
    await insertRun(world, { name: 'new' }, [{}]);
    expect((await waitingWork(world.store, world.projectId))?.occupants).toBeUndefined();
  });

  it('it has each gang with a reservation, however many of its class are ahead', async () => {
    const world = await openWorld(tests);
    const { instance } = await insertFleet(world, 'fleet');
    for (let i = 0; i < 60; i++) await insertWaiting(world, `ahead-${i}`, { submittedAt: i });
    const shares = [{ instanceId: instance.id, blocks: 1 }];
    const reserved = { since: 5, startsAt: 9, shares };
    const { run } = await insertWaiting(world, 'holder', { submittedAt: 999 }, { reserved });
    const snapshot = await waitingWork(world.store, world.projectId);
    const holder = snapshot?.gangs.find((gang) => gang.run.id === run.id);
    expect(holder?.jobs[0]?.reserved).toEqual(reserved);
    const explained = await world.store.engine.loadExplainedRun(run.id, NO_HINTS, NO_MEMORY);
    expect(explained?.queue.gangs.map((gang) => gang.run.id)).toContain(run.id);
  });
});
