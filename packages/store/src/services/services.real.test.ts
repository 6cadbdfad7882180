import { expect, it } from 'vitest';
import { insertGateway, replicaRecord } from '../testing/gateways.ts';
import {
  fleetRecord,
  instanceRecord,
  jobRecord,
  NO_MEMORY,
  newEvent,
  runRecord,
} from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

const SCALED = {
  replicas: { min: 0, max: 3 },
  scaling: { metric: 'rps', target: 1, scale_up_delay: 0, scale_down_delay: 0 },
};

const SECOND = 1_000_000;

interface Part {
  readonly run?: Partial<Parameters<typeof runRecord>[0]>;
  readonly jobs?: readonly Partial<Parameters<typeof jobRecord>[0]>[];
}

/** A service on a separate host; returns its run's id. */
async function insertService({ store, projectId, userId }: World, part: Part = {}) {
  const fleet = fleetRecord({ projectId, name: `hosts-of-${part.run?.name}` });
  const instance = instanceRecord({ projectId, fleetId: fleet.id, hostId: 'host-1' });
  await store.engine.createFleet({
    projectId,
    name: { exact: fleet.name },
    build: () => ({ fleet, instances: [instance] }),
  });
  const serviceSpec = { url: '/', model: null, options: {} };
  const spec = { configuration: { type: 'service', replicas: null, groups: null } } as never;
  const plain = { projectId, userId, spec, serviceSpec, status: 'running' } as const;
  const run = runRecord({ ...plain, ...part.run });
  await store.engine.submitRun({
    projectId,
    name: { exact: run.name },
    build: () => ({
      run,
      jobs: (part.jobs ?? []).map((job, replicaNum) => {
        const plain = jobRecord({ projectId, runId: run.id, replicaNum, status: 'running' });
        const spec = { ...plain.spec, service_port: 8000 + replicaNum };
        const place = { instanceId: instance.id, registered: true, runningAt: 5 };
        return { ...plain, ...place, spec, ...job };
      }),
    }),
    superseded: () => newEvent(''),
  });
  return run;
}

forEachStore((tests) => {
  it('finds unfinished services by the beginning of their ids', async () => {
    const world = await openWorld(tests);
    const of = { id: '0a1b2c3d-0000-4000-8000-000000000001', name: 'web' };
    await insertService(world, { run: of });
    const other = { id: '0a1b2c3d-0000-4000-8000-000000000002', name: 'done', status: 'done' };
    await insertService(world, { run: other as never });
    const { services } = world.store;
    const web = { runId: of.id, runName: 'web', projectName: 'main' };
    expect(await services.byIdPrefix('0a1b2c3d')).toEqual([web]);
    expect(await services.byIdPrefix('0a1b2c3e')).toEqual([]);
    expect(await services.byIdPrefix('%a1b2c3d')).toEqual([]);
  });

  it('finds a service with the replicas that take requests', async () => {
    const world = await openWorld(tests);
    const run = await insertService(world, {
      run: { name: 'web' },
      jobs: [{}, { registered: false }, { status: 'terminating' }, { id: 'job-3' }],
    });
    const view = await world.store.services.byName('MAIN', 'web');
    expect(view?.run.id).toBe(run.id);
    expect(view?.projectName).toBe('main');
    expect(view?.replicas).toEqual([
      { jobId: expect.any(String), hostId: 'host-1', port: 8000, runningAt: 5, isFailing: false },
      { jobId: 'job-3', hostId: 'host-1', port: 8003, runningAt: 5, isFailing: false },
    ]);
  });

  it('finds no run that has ended, is deleted, is behind a gateway, or is not a service', async () => {
    const world = await openWorld(tests);
    const others: Part['run'][] = [
      { name: 'over', status: 'done' },
      { name: 'deleted', deleted: true },
      { name: 'behind', gatewayId: 'gateway-1' },
      { name: 'task', serviceSpec: null },
    ];
    for (const run of others) await insertService(world, { run });
    for (const run of [...others, { name: 'nosuch' }]) {
      expect(await world.store.services.byName('main', run?.name ?? '')).toBeNull();
    }
  });

  it('finds the ready replicas of several services, behind a gateway or not', async () => {
    const world = await openWorld(tests);
    const here = await insertService(world, { run: { name: 'here' }, jobs: [{ id: 'a' }] });
    const behind = await insertService(world, {
      run: { name: 'behind', gatewayId: 'gateway-1' },
      jobs: [{ id: 'b' }, { registered: false }],
    });
    const none = await insertService(world, { run: { name: 'none' } });
    const over = await insertService(world, {
      run: { name: 'over', status: 'done' },
      jobs: [{ id: 'c' }],
    });
    const ids = [here, behind, none, over].map(({ id }) => id);
    const found = await world.store.services.readyReplicas(ids);
    expect(new Map([...found].map(([id, all]) => [id, all.map(({ jobId }) => jobId)]))).toEqual(
      new Map([
        [here.id, ['a']],
        [behind.id, ['b']],
        [none.id, []],
      ]),
    );
    expect(await world.store.services.readyReplicas([])).toEqual(new Map());
  });

  it('names the unfinished services behind a gateway, oldest first', async () => {
    const world = await openWorld(tests);
    const serviceSpec = { url: 'http://old.test', model: null, options: {}, hosts: ['old.org'] };
    const gatewayId = 'gateway-1';
    const parts: Part['run'][] = [
      { name: 'new', gatewayId, submittedAt: 2 },
      { name: 'old', gatewayId, submittedAt: 1, serviceSpec },
      { name: 'over', gatewayId, status: 'done' },
      { name: 'elsewhere', gatewayId: 'gateway-2' },
      { name: 'here' },
    ];
    for (const run of parts) await insertService(world, { run });
    const found = await world.store.services.namesBehindGateway(gatewayId);
    expect(found).toEqual([
      { projectName: 'main', run: { name: 'old', serviceSpec } },
      { projectName: 'main', run: { name: 'new', serviceSpec: expect.anything() } },
    ]);
  });

  it('lists services with models, newest first, finished ones separately', async () => {
    const world = await openWorld(tests);
    const model = { name: 'm', base_url: '/', type: 'chat' };
    const serviceSpec = { url: '/', model, options: {} };
    for (const [index, name] of ['old', 'new'].entries()) {
      await insertService(world, { run: { name, serviceSpec, submittedAt: index } });
    }
    await insertService(world, { run: { name: 'plain' } });
    await insertService(world, { run: { name: 'waiting', serviceSpec, status: 'submitted' } });
    await insertService(world, { run: { name: 'over', serviceSpec, status: 'failed' } });
    const names = async (which: 'unfinished' | 'finished') => {
      const views = await world.store.services.withModels(world.projectId, which);
      return views.map(({ run }) => run.name);
    };
    expect(await names('unfinished')).toEqual(['waiting', 'new', 'old']);
    expect(await names('finished')).toEqual(['over']);
  });

  it('adds up what all servers have counted, for services that scale by demand', async () => {
    const now = 1_000_000 * SECOND;
    const world = await openWorld(tests, { now: () => now });
    const configuration = {
      type: 'service',
      ...SCALED,
    };
    const scaled = { configuration } as never;
    const run = await insertService(world, { run: { name: 'scaled', spec: scaled } });
    const count = (secondsAgo: number, requests: number) => ({
      ...{ runId: run.id, second: 1_000_000 - secondsAgo, requests },
    });
    const { services, engine } = world.store;
    await services.addRequests('a', [count(301, 1000), count(299, 100), count(59, 10)]);
    await services.addRequests('a', [count(0, 1), count(59, 10)]);
    const heard: string[] = [];
    engine.onSignal((signal) => heard.push(signal.id));
    await services.addRequests('b', [count(0, 1)], { signals: [{ kind: 'run', id: run.id }] });
    expect(heard).toEqual([run.id]);
    const snapshot = await engine.loadRun(run.id, NO_MEMORY);
    expect(snapshot?.requests).toEqual({ 30: 2, 60: 22, 300: 122 });
    await insertGateway(world);
    await world.store.gateways.insertReplica({ ...replicaRecord(), sshPrivateKey: 'k' });
    const delivery = { replicaId: replicaRecord().id, kind: 'counts', batch: 'one' } as const;
    const again = { signals: [{ kind: 'run', id: run.id }] } as const;
    heard.length = 0;
    await services.addRequests('gateway', [count(0, 3)], again, delivery);
    await services.addRequests('gateway', [count(0, 3)], again, delivery);
    expect(heard).toEqual([run.id, run.id]);
    const after = await engine.loadRun(run.id, NO_MEMORY);
    expect(after?.requests).toEqual({ 30: 5, 60: 25, 300: 125 });
    const plain = await insertService(world, { run: { name: 'plain' } });
    expect((await engine.loadRun(plain.id, NO_MEMORY))?.requests).toBeNull();
  });

  it('counts no requests of a time that is still to come, and deletes them', async () => {
    const now = 1_000_000 * SECOND;
    const world = await openWorld(tests, { now: () => now });
    const configuration = { type: 'service', ...SCALED };
    const run = await insertService(world, {
      run: { name: 'ahead', spec: { configuration } as never },
    });
    const { services, engine } = world.store;
    const ahead = { runId: run.id, second: 1_000_000 + 3600, requests: 9 };
    const slot = { runId: run.id, slot: (1_000_000 + 3600) / 5, busyMs: 60_000, latencies: {} };
    await services.addRequests('a', [ahead]);
    await services.setLoad('a', [slot]);
    const before = await engine.loadRun(run.id, NO_MEMORY);
    expect(before?.requests).toEqual({ 30: 0, 60: 0, 300: 0 });
    expect(before?.load?.busySeconds ?? { 30: 0 }).toMatchObject({ 30: 0 });
    await services.addRequests('a', [{ ...ahead, second: 1_000_000 }]);
    const after = await engine.loadRun(run.id, NO_MEMORY);
    expect(after?.requests).toEqual({ 30: 9, 60: 9, 300: 9 });
  });

  it('adds up the load that all servers have measured, and has the last answers of queries', async () => {
    const now = 1_000_000 * SECOND;
    const world = await openWorld(tests, { now: () => now });
    const rule = { metric: 'concurrency', target: 1, window: null };
    const configuration = { type: 'service', replicas: { min: 0, max: 3 }, autoscaling: [rule] };
    const run = await insertService(world, { run: { spec: { configuration } as never } });
    const { services, engine } = world.store;
    const slot = (secondsAgo: number, busyMs: number, latencies: Record<number, number> = {}) => ({
      ...{ runId: run.id, slot: 200_000 - secondsAgo / 5, busyMs, latencies },
    });
    await services.setLoad('a', [slot(305, 9000), slot(295, 100), slot(0, 10)]);
    await services.setLoad('a', [slot(0, 3000, { 4: 2 })]);
    await services.setLoad('b', [slot(30, 2000, { 4: 1, 7: 1 })]);
    const answer = { value: null, error: 'refused', at: 7 };
    const heard: string[] = [];
    engine.onSignal((signal) => heard.push(signal.id));
    await services.setQueryAnswer(run.id, 'key', { value: 3, error: null, at: 5 });
    const signals = [{ kind: 'run', id: run.id }] as const;
    await services.setQueryAnswer(run.id, 'key', answer, { signals });
    expect(heard).toEqual([run.id]);
    expect((await engine.loadRun(run.id, NO_MEMORY))?.load).toEqual({
      busySeconds: { 30: 3, 60: 5, 300: 5.1 },
      latencies: { 30: { 4: 2 }, 60: { 4: 3, 7: 1 }, 300: { 4: 3, 7: 1 } },
      queries: { key: answer },
    });
  });

  it('counts requests of a rate limit exactly, also those that arrive together', async () => {
    const { store } = await openWorld(tests);
    const take = (key: string, seconds: number, burst = 3) =>
      store.services.takeRate(key, { rps: 2, burst }, seconds * SECOND);
    const together = await Promise.all(Array.from({ length: 20 }, () => take('a', 100)));
    expect(together.filter((wait) => wait === 0)).toHaveLength(4);
    expect(Math.max(...together)).toBe(0.5);
    expect([await take('a', 100.25), await take('b', 100)]).toEqual([0.25, 0]);
    expect([await take('a', 100.5), await take('a', 100.5)]).toEqual([0, 0.5]);
    // One request in four seconds.
    const slow = (seconds: number) =>
      store.services.takeRate('slow', { rps: 0.25, burst: 0 }, seconds * SECOND);
    expect([await slow(10), await slow(12), await slow(14)]).toEqual([0, 2, 0]);
    expect(await store.services.deleteDrainedRateBuckets(99 * SECOND)).toBe(1);
    // The clock of another server may be behind.
    expect([await take('a', 99), await take('a', 101)]).toEqual([0.5, 0]);
    // At the slowest rate the one request of `b` has drained after a minute, those of `a` later.
    expect(await store.services.deleteDrainedRateBuckets(159 * SECOND)).toBe(0);
    expect(await store.services.deleteDrainedRateBuckets(161 * SECOND)).toBe(1);
    expect([await take('b', 100), await take('a', 101)]).toEqual([0, 0.5]);
    expect(await store.services.deleteDrainedRateBuckets(1000 * SECOND)).toBe(2);
  });

  it('keeps no count of a rate limit for longer than a day, however large the limit is', async () => {
    const { store } = await openWorld(tests);
    const requests = { most: 1_000_000, waitedMs: 0, now: 100 * SECOND };
    await store.services.takeRates('large', { rps: 1000, burst: 1_000_000 }, requests);
    const day = 86_400;
    expect(await store.services.deleteDrainedRateBuckets((day + 99) * SECOND)).toBe(0);
    expect(await store.services.deleteDrainedRateBuckets((day + 101) * SECOND)).toBe(1);
  });

  it('counts as many requests of a rate limit at once as are allowed', async () => {
    const { store } = await openWorld(tests);
    const take = async (most: number, seconds: number, burst = 3) => {
      const requests = { most, waitedMs: 0, now: seconds * SECOND };
      return await store.services.takeRates('many', { rps: 2, burst }, requests);
    };
    expect(await take(10, 100)).toEqual({ granted: 4, waitMs: 500 });
    expect(await take(10, 100)).toEqual({ granted: 0, waitMs: 500 });
    expect(await take(10, 101)).toEqual({ granted: 2, waitMs: 500 });
    expect(await take(1, 101.75)).toEqual({ granted: 1, waitMs: 0 });
    expect(await take(10, 200)).toEqual({ granted: 4, waitMs: 500 });
    // A lower burst than before.
    expect(await take(10, 200.5, 0)).toMatchObject({ granted: 0 });
  });

  it('counts requests that have waited from when they came, but no time twice', async () => {
    const { store } = await openWorld(tests);
    const granted = async (most: number, waitedMs: number, ms: number) => {
      const requests = { most, waitedMs, now: ms * 1000 };
      return (await store.services.takeRates('waited', { rps: 100, burst: 0 }, requests)).granted;
    };
    expect(await granted(40, 50, 100_000)).toBe(6);
    expect(await granted(4, 50, 100_050)).toBe(4);
    // One has been counted for a later time than the first of these came.
    expect(await granted(40, 50, 100_060)).toBe(2);
    expect(await granted(1, 0, 100_060)).toBe(0);
    expect(await granted(1, 0, 100_070)).toBe(1);
  });

  it('marks replicas with a probe that fails, until it has succeeded often enough', async () => {
    const world = await openWorld(tests);
    const probes = [{ ready_after: 1 }, { ready_after: 2 }];
    const spec = { ...jobRecord({ projectId: '', runId: '' }).spec, probes } as never;
    await insertService(world, {
      run: { name: 'probed' },
      jobs: [{ id: 'job-1', spec: { ...(spec as object), service_port: 1 } as never }, {}],
    });
    const streaks = async (...given: number[]) => {
      for (const [probeNum, successStreak] of given.entries()) {
        const probe = { id: `p-${probeNum}`, jobId: 'job-1', probeNum, successStreak, due: null };
        await world.store.jobs.insertProbes([probe]);
        await world.store.jobs.saveProbe(probe);
      }
      const view = await world.store.services.byName('main', 'probed');
      return view?.replicas.map(({ isFailing }) => isFailing);
    };
    expect(await streaks()).toEqual([false, false]);
    expect(await streaks(1, 2)).toEqual([false, false]);
    expect(await streaks(7, 0)).toEqual([true, false]);
    expect(await streaks(8, 1)).toEqual([true, false]);
    expect(await streaks(0, 3)).toEqual([true, false]);
    expect(await streaks(1, 4)).toEqual([false, false]);
  });

  it('reads the successes of probes while a replica is not ready', async () => {
    const world = await openWorld(tests);
    const probes = [{ ready_after: 1 }, { ready_after: 1 }];
    const spec = { ...jobRecord({ projectId: '', runId: '' }).spec, probes } as never;
    const run = await insertService(world, { jobs: [{ id: 'job-1', registered: false, spec }] });
    const probe = (probeNum: number) => ({
      ...{ id: `probe-${probeNum}`, jobId: 'job-1', probeNum, successStreak: probeNum, due: null },
    });
    await world.store.jobs.insertProbes([probe(1), probe(0)]);
    expect((await world.store.engine.loadRun(run.id, NO_MEMORY))?.probes).toEqual({
      'job-1': [0, 1],
    });
  });
});
