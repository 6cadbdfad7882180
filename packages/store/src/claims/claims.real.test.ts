import { expect, it } from 'vitest';
import { insertFleetWithNodes, insertRun, insertWaiting } from '../testing/insert.ts';
import { projectRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };

async function lending(world: World, guaranteed: object | null) {
  const lab = projectRecord(world.userId, { name: 'lab' });
  await world.store.projects.insert(lab);
  const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
  const { run, jobs } = await insertRun(world, { name: 'borrows', status: 'running' }, [{}]);
  const [victim] = jobs;
  const set = {
    ...{ status: 'running' as const, instanceId: instances[0]!.id, claimedBlocks: 2 },
    ...{ provisionedAt: 5, runningAt: 7 },
  };
  const { id, version } = victim!;
  await world.store.engine.apply([{ type: 'job.update', id, version, set }]);
  await world.store.exports.insert(
    { id: 'e1', projectId: world.projectId, name: 'shared', isGlobal: false, createdAt: 1 },
    { importers: [lab.id], fleets: [fleet.id], gateways: [] },
  );
  const place = { projectId: lab.id, fleetId: null, userId: null };
  const terms = { guaranteed, limits: null, weight: null } as never;
  await world.store.quotas.apply([{ place, terms }]);
  const asker = await insertWaiting(world, 'asks', { projectId: lab.id });
  const project = (await world.store.projects.byId(lab.id)) as unknown as { poolId?: string };
  expect(project).not.toBeNull();
  return { run, victim: victim!, asker, instance: instances[0]!, lab };
}

async function loaded(world: World, only: 'all' | 'new' = 'all') {
  const signals = await world.store.engine.waitingFor({
    kind: 'project',
    projectId: world.projectId,
  });
  return await world.store.engine.loadPlacement(signals[0] ?? '', only);
}

const reload = (world: World, id: string) =>
  world.store.engine.loadRun(id, { overQuota: new Map() });

forEachStore((tests) => {
  it('a pass knows the jobs with places where a project of the pool is guaranteed something', async () => {
    const world = await openWorld(tests);
    const { run, victim, instance } = await lending(world, { ...NONE, gpu: 4 });
    expect((await loaded(world))?.claims).toEqual([
      {
        ...{ jobId: victim.id, version: victim.version + 1, runId: run.id, replicaNum: 0 },
        ...{ projectId: world.projectId, priority: 0, instanceId: instance.id, blocks: 2 },
        ...{ charge: null, claimedAt: 5, runningAt: 7, isEnding: false, eviction: null },
        ...{ isService: false, isReady: false },
      },
    ]);
    const other = await openWorld(tests);
    await lending(other, null);
    expect((await loaded(other))?.claims).toBeUndefined();
  });

  it('a pass for new gangs alone reads those that wait before them, where a project is guaranteed something', async () => {
    for (const [guaranteed, expected] of [
      [{ ...NONE, gpu: 4 }, ['asks', 'new']],
      [null, ['new']],
    ] as const) {
      const world = await openWorld(tests);
      const { instance, lab } = await lending(world, guaranteed);
      const set = { status: 'busy' as const, totalBlocks: 2, busyBlocks: 2 };
      const { id, version } = instance;
      await world.store.engine.apply([{ type: 'instance.update', id, version, set }]);
      await insertRun(world, { name: 'new', projectId: lab.id }, [{ demand: 'small' }]);
      const found = await loaded(world, 'new');
      expect(found?.gangs.map(({ run }) => run.name).sort()).toEqual(expected);
    }
  });

  it('a pass knows the claims of a lender on fleets that no waiting project may use', async () => {
    const world = await openWorld(tests);
    const { victim } = await lending(world, { ...NONE, gpu: 4 });
    const { instances } = await insertFleetWithNodes(world, { name: 'own' });
    const { jobs } = await insertRun(world, { name: 'other', status: 'running' }, [{}]);
    const [job] = jobs;
    const set = {
      ...{ status: 'running' as const, instanceId: instances[0]!.id, claimedBlocks: 1 },
      ...{ provisionedAt: 5, runningAt: 7 },
    };
    const { id, version } = job!;
    await world.store.engine.apply([{ type: 'job.update', id, version, set }]);
    const found = await loaded(world);
    expect(found?.claims?.map(({ jobId }) => jobId).sort()).toEqual([victim.id, id].sort());
    expect(found?.fleets.map(({ name }) => name)).toEqual(['hosts']);
  });

  it('what was guaranteed on a fleet ends with the fleet', async () => {
    const world = await openWorld(tests);
    await lending(world, null);
    const { fleet } = await insertFleetWithNodes(world, { name: 'gone' });
    const place = { projectId: world.projectId, fleetId: fleet.id, userId: null };
    const terms = { guaranteed: { ...NONE, gpu: 4 }, limits: null, weight: null };
    await world.store.quotas.apply([{ place, terms: terms as never }]);
    const ofFleet = async () =>
      (await loaded(world))?.quotas?.filter(({ quota }) => quota.fleetId === fleet.id).length;
    expect(await ofFleet()).toBe(1);
    const { id } = fleet;
    const version = (await world.store.engine.loadFleet(id))?.fleet.version ?? 0;
    const set = { status: 'terminated' as const, deleted: true };
    await world.store.engine.apply([{ type: 'fleet.update', id, version, set }]);
    expect(await ofFleet()).toBe(0);
  });

  it('a run whose job has to leave knows whether the gang that asked still waits', async () => {
    const world = await openWorld(tests);
    const { run, victim, asker, instance } = await lending(world, { ...NONE, gpu: 4 });
    const eviction = {
      ...{ runId: asker.run.id, replicaNum: 0, kind: 'reclaim' as const },
      ...{ requestedAt: 9, seconds: 60 },
    };
    const reclaim = { since: 9, runs: [run.id], instances: [instance.id] };
    const [job] = asker.jobs;
    const asked = await world.store.engine.apply([
      { type: 'job.update', id: victim.id, version: victim.version + 1, set: { eviction } },
      { type: 'job.update', id: job!.id, version: job!.version, set: { reclaim } },
    ]);
    expect(asked).toBe('applied');
    const snapshot = await reload(world, run.id);
    expect(snapshot?.jobs[0]?.eviction).toEqual(eviction);
    expect([...(snapshot?.askers ?? [])]).toEqual([`${asker.run.id} 0`]);
    const placed = { instanceId: instance.id, claimedBlocks: 1, reclaim: null };
    const at = { id: job!.id, version: job!.version + 1 };
    await world.store.engine.apply([{ type: 'job.update', ...at, set: placed }]);
    expect([...((await reload(world, run.id))?.askers ?? [])]).toEqual([]);
  });
});
