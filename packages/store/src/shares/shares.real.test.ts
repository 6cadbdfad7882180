import type { Change, InstanceRecord } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertFleetWithNodes, insertRun, insertWaiting } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { projectRecord, userRecord } from '../testing/records.ts';
import { slowParts } from '../testing/rows-read.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

const WEEK = 7 * 86_400;
/** In microseconds. */
const DAY = 86_400_000_000;

function setWeight(world: World, weight: number | null, place: object = {}) {
  const { projectId } = world;
  const terms = { guaranteed: null, limits: null, weight };
  const whole = { projectId, fleetId: null, userId: null, ...place };
  return world.store.quotas.apply([{ place: whole, terms: weight === null ? null : terms }]);
}

/** A run of one job, which takes and leaves a place by decisions like those of passes. */
async function claimant(world: World, name: string, gpus: number, part: object = {}) {
  const { run, jobs } = await insertRun(world, { name, ...part }, [{}]);
  const write = async (store: Store, set: object): Promise<string> => {
    const snapshot = await store.engine.loadRun(run.id, { overQuota: new Map() });
    const { id, version } = snapshot!.jobs[0]!;
    const change = { type: 'job.update', id, version, set } as Change;
    return await store.engine.apply([change]);
  };
  return {
    id: jobs[0]!.id,
    claim: (instance: InstanceRecord, { store = world.store, isCounted = true } = {}) => {
      const { fleetId, id: instanceId } = instance;
      const share = isCounted && { share: { rate: gpus * 1_000_000, weights: {} } };
      const charge = {
        userId: run.userId,
        fleetId,
        claimedAt: 7,
        amounts: { gpu: gpus },
        ...share,
      };
      const claimed = { instanceId, claimedBlocks: gpus };
      return write(store, { ...claimed, charge: isCounted ? charge : null });
    },
    release: (store = world.store) =>
      write(store, { instanceId: null, claimedBlocks: 0, charge: null }),
  };
}

const rowsOf = (world: World) =>
  rawSql(world.url, 'select project_id, user_id, used, rate from shares order by user_id, rate');

const ratesOf = async (world: World) => (await rowsOf(world)).map(({ rate }) => Number(rate));

/** Shifts the stored times, as if the rows had been stored earlier (or later). */
const pass = (world: World, seconds: number) =>
  rawSql(world.url, `update shares set settled_at = settled_at - ${seconds * 1_000_000}`);

async function shared(tests: StoreTests) {
  const world = await openWorld(tests);
  const { instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
  await setWeight(world, 1);
  return { world, instance: instances[0]! };
}

async function poolOf(world: World): Promise<string> {
  const freed = { kind: 'project', projectId: world.projectId } as const;
  return (await world.store.engine.waitingFor(freed))[0] ?? '';
}

const sharesOf = async (world: World) =>
  (await world.store.engine.loadPlacement(await poolOf(world)))?.shares;

const machine = { type: 'instance.update', set: { totalBlocks: 8 } } as const;

async function withMachine(world: World, instance: InstanceRecord) {
  const { id, version, offer } = instance;
  const gpu = { name: 'H100', memory_mib: 81_920, vendor: 'nvidia' as const };
  const known = (await world.store.instances.byId(id))?.instance.offer ?? offer;
  const resources = {
    ...known?.instance.resources,
    ...{ cpus: 64, memory_mib: 65_536, gpus: Array.from({ length: 8 }, () => gpu) },
  };
  const whole = {
    ...{ backend: 'aws', region: 'eu', price: 16, backend_data: {}, availability: 'available' },
    ...{ availability_zones: null, instance_runtime: 'shim', blocks: 1, total_blocks: 1 },
    instance: { name: 'm', resources: { spot: false, disk: { size_mib: 1 }, ...resources } },
  };
  const set = { ...machine.set, offer: whole as never };
  await world.store.engine.apply([{ ...machine, id, version, set }]);
}

forEachStore((tests) => {
  it('what users use is counted from the claim to the release, and half is forgotten in each half-life', async () => {
    const { world, instance } = await shared(tests);
    const bob = userRecord({ name: 'bob' });
    await world.store.users.insert(bob);
    const [one, two] = [
      await claimant(world, 'one', 2),
      await claimant(world, 'two', 1, { userId: bob.id }),
    ];
    expect(await one.claim(instance)).toBe('applied');
    expect(await two.claim(instance)).toBe('applied');
    await pass(world, 3600);
    await insertWaiting(world, 'waits');
    const states = (await sharesOf(world))?.states ?? [];
    const of = (userId: string) => states.find((state) => state.userId === userId);
    expect(of(world.userId)).toMatchObject({ projectId: world.projectId, rate: 2_000_000 });
    expect(of(world.userId)?.usage).toBeCloseTo(1.996, 2);
    expect(of(bob.id)?.usage).toBeCloseTo(0.998, 2);
    expect(await one.release()).toBe('applied');
    expect((await ratesOf(world)).sort()).toEqual([0, 1_000_000]);
    await pass(world, WEEK);
    const after = (await sharesOf(world))?.states.find(({ userId }) => userId === world.userId);
    expect(after?.usage).toBeCloseTo(0.998, 2);
    expect(after?.rate).toBe(0);
  });

  it('claims of two servers at once are all counted, and those that are refused are not', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const other = tests.dialect === 'sqlite' ? world.store : await tests.open({ url });
    const { instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
    await setWeight(world, 3);
    const all: Awaited<ReturnType<typeof claimant>>[] = [];
    for (let n = 0; n < 8; n++) all.push(await claimant(world, `run-${n}`, 1));
    const claim = (n: number) =>
      all[n]!.claim(instances[0]!, { store: n % 2 === 0 ? world.store : other });
    await Promise.all(all.map((_, n) => claim(n)));
    expect(await ratesOf(world)).toEqual([8_000_000]);
    const { id } = all[0]!;
    const stale = { type: 'job.update', id, version: 99, set: { charge: null } } as Change;
    expect(await world.store.engine.apply([stale])).toBe('conflict');
    await Promise.all(all.slice(1).map((one, n) => one.release(n % 2 === 0 ? other : world.store)));
    expect(await ratesOf(world)).toEqual([1_000_000]);
  });

  it('a moment that lies ahead, of a clock that was wrong, changes no usage, and the next claim sets it right', async () => {
    const { world, instance } = await shared(tests);
    const one = await claimant(world, 'one', 2);
    await one.claim(instance);
    await rawSql(world.url, 'update shares set used = 50');
    await pass(world, -365 * 86_400);
    await insertWaiting(world, 'waits');
    expect((await sharesOf(world))?.states[0]).toMatchObject({ usage: 50, rate: 2_000_000 });
    await one.release();
    await pass(world, WEEK);
    expect((await sharesOf(world))?.states[0]?.usage).toBeCloseTo(25, 3);
  });

  it('is not forgotten when the clock of the only server is a year ahead for a while', async () => {
    // Several servers have the clock of the database.
    if (tests.dialect === 'postgres') return;
    const clock = { now: 1_800_000_000_000_000 };
    const world = await openWorld(tests, { now: () => clock.now });
    const { instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
    await setWeight(world, 1);
    const [one, two] = [await claimant(world, 'one', 2), await claimant(world, 'two', 1)];
    await one.claim(instances[0]!);
    await rawSql(world.url, 'update shares set used = 50');
    clock.now += 365 * DAY;
    await two.claim(instances[0]!);
    await one.release();
    await two.release();
    clock.now -= 365 * DAY;
    await world.store.engine.keepShareTime();
    await insertWaiting(world, 'waits');
    const ahead = (await sharesOf(world))?.states[0]?.usage ?? 0;
    // A day of it counts, with the claim of that time.
    expect(ahead).toBeGreaterThan(45);
    expect(ahead).toBeLessThan(100);
    // Time goes on, also where nothing is claimed for days.
    for (let hour = 0; hour < 7 * 24; hour++) {
      clock.now += DAY / 24;
      await world.store.engine.keepShareTime();
    }
    expect((await sharesOf(world))?.states[0]?.usage).toBeCloseTo(ahead / 2, 3);
  });

  it('is not negative after servers of an older version, and counted anew when a server starts', async () => {
    const { world, instance } = await shared(tests);
    const [one, two] = [await claimant(world, 'one', 1), await claimant(world, 'two', 1)];
    await one.claim(instance);
    await two.claim(instance);
    await rawSql(world.url, 'update shares set rate = 500000');
    await one.release();
    expect(await ratesOf(world)).toEqual([0]);
    await world.store.quotas.recount();
    expect(await ratesOf(world)).toEqual([1_000_000]);
    await rawSql(world.url, 'update jobs set instance_id = null, version = version + 1');
    await world.store.quotas.recount();
    expect(await ratesOf(world)).toEqual([0]);
  });

  it('counts claims from before the first weight of the pool, and of projects that come to the pool', async () => {
    const world = await openWorld(tests);
    const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
    await withMachine(world, instances[0]!);
    const early = await claimant(world, 'early', 2);
    await early.claim(instances[0]!, { isCounted: false });
    expect(await rowsOf(world)).toEqual([]);
    await setWeight(world, 2);
    expect(await ratesOf(world)).toEqual([2_000_000]);
    const lab = projectRecord(world.userId, { name: 'lab' });
    await world.store.projects.insert(lab);
    const own = await insertFleetWithNodes(world, { name: 'own', projectId: lab.id }, [0]);
    await withMachine(world, own.instances[0]!);
    const late = await claimant(world, 'late', 4, { projectId: lab.id });
    await late.claim(own.instances[0]!, { isCounted: false });
    await world.store.exports.insert(
      { id: 'e1', projectId: world.projectId, name: 'shared', isGlobal: false, createdAt: 1 },
      { importers: [lab.id], fleets: [fleet.id], gateways: [] },
    );
    expect((await ratesOf(world)).sort()).toEqual([2_000_000, 4_000_000]);
    await early.release();
    await late.release();
    expect(await ratesOf(world)).toEqual([0, 0]);
  });

  it('has the waiting work of each user in each class, however much another user has', async () => {
    const { world } = await shared(tests);
    const bob = userRecord({ name: 'bob' });
    await world.store.users.insert(bob);
    for (let n = 0; n < 60; n++) await insertWaiting(world, `many-${n}`, { submittedAt: n });
    for (const [n, demand] of ['small', 'large'].entries()) {
      await insertWaiting(world, `bob-${n}`, { userId: bob.id, submittedAt: 99 + n }, { demand });
    }
    const loaded = await world.store.engine.loadPlacement(await poolOf(world));
    const names = loaded?.gangs.map(({ run }) => run.name) ?? [];
    expect(names).toHaveLength(52);
    expect(names).toEqual(expect.arrayContaining(['bob-0', 'bob-1', 'many-0', 'many-49']));
    expect([...(loaded?.more ?? [])]).toEqual(['small']);
    const queue = await world.store.engine.loadPoolQueue(world.projectId, 3);
    expect(queue.total).toBe(62);
    expect(queue.gangs.map(({ run }) => run.name).sort()).toEqual(['bob-0', 'many-0', 'many-1']);
  });

  // PostgreSQL walks tables that are so short.
  if (tests.dialect === 'sqlite')
    it('finds the first work of a long queue by an index', async () => {
      const { world } = await shared(tests);
      for (let n = 0; n < 60; n++) await insertWaiting(world, `many-${n}`, { submittedAt: n });
      const pool = await poolOf(world);
      await world.store.close();
      const ask = (store: Store) => store.engine.loadPlacement(pool);
      expect(await slowParts(tests, world.url, ask, 700)).toEqual([]);
    });

  describe('a pool without a weight', () => {
    it('has no statement about shares, whether work is placed, ends, or is looked at', async () => {
      const statements: string[] = [];
      const url = await tests.createDatabase();
      const world = await openWorld(tests, { url, onStatement: (text) => statements.push(text) });
      const { instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
      const limits = { gpu: 8, cpu: null, memory: null, instances: null, cost: null, runs: null };
      const place = { projectId: world.projectId, fleetId: null, userId: null };
      const terms = { guaranteed: null, limits, weight: null };
      await world.store.quotas.apply([{ place, terms }]);
      const one = await claimant(world, 'one', 1);
      const { run } = await insertWaiting(world, 'waits');
      statements.length = 0;
      expect(await sharesOf(world)).toBeUndefined();
      await one.claim(instances[0]!, { isCounted: false });
      await one.release();
      await world.store.engine.loadPoolQueue(world.projectId, 10);
      await world.store.engine.loadExplainedRun(
        run.id,
        { offersOnly: new Set(), hasPolledBackends: false },
        { overQuota: new Map() },
      );
      expect(statements.length).toBeGreaterThan(20);
      expect(statements.filter((text) => /\bshares\b|distinct i\.offer/.test(text))).toEqual([]);
    });
  });
});
