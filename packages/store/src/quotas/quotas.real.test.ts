import type { Amounts, Change, ChargeRecord, InstanceRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertFleetWithNodes, insertRun, insertWaiting } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { newEvent, runRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';
import type { QuotaPlace, QuotaTerms } from './types.ts';

const NONE = { guaranteed: null, limits: null, weight: null };
const limits = (part: object) => ({
  ...{ gpu: null, cpu: null, memory: null, instances: null, cost: null, runs: null },
  ...part,
});

/** Runs of one waiting job each, which claim some amounts by a decision like that of placement. */
async function claimant(world: World, name: string, amounts: Amounts, userId = world.userId) {
  const { run, jobs } = await insertRun(world, { name, userId }, [{}]);
  const charge = (fleetId: string): ChargeRecord => ({ userId, fleetId, claimedAt: 7, amounts });
  const update = (id: string, version: number, set: object): Change => ({
    ...{ type: 'job.update', id, version, set },
  });
  const job = async (store: Store) =>
    (await store.engine.loadRun(run.id, { overQuota: new Map() }))!.jobs[0]!;
  return {
    id: jobs[0]!.id,
    claim: async (instance: InstanceRecord, store = world.store, isCharged = true) => {
      const { id, version } = await job(store);
      const set = {
        ...{ instanceId: instance.id, claimedBlocks: 1 },
        ...(isCharged && { charge: charge(instance.fleetId) }),
      };
      return await store.engine.apply([update(id, version, set)]);
    },
    release: async (store = world.store) => {
      const { id, version, charge: before } = await job(store);
      const set = { instanceId: null, claimedBlocks: 0, ...(before && { charge: null }) };
      return await store.engine.apply([update(id, version, set)]);
    },
  };
}

async function usedOf(world: World): Promise<unknown[]> {
  const views = await world.store.quotas.list(null);
  return views.map(({ used }) => used);
}

async function fleetOf(tests: StoreTests) {
  const world = await openWorld(tests);
  const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0, 1]);
  return { world, fleet, instance: instances[0]! };
}

const project = ({ projectId }: World) => ({ projectId, fleetId: null, userId: null });

const setQuota = (world: World, place: QuotaPlace, terms: QuotaTerms) =>
  world.store.quotas.apply([{ place, terms }]);

forEachStore((tests) => {
  it('a claim is charged to the quotas that hold for it, and released with it', async () => {
    const { world, fleet, instance } = await fleetOf(tests);
    const bob = userRecord({ name: 'bob' });
    await world.store.users.insert(bob);
    const all = project(world);
    await setQuota(world, all, { ...NONE, limits: limits({ gpu: 4 }) });
    await setQuota(world, { ...all, fleetId: fleet.id }, { ...NONE, limits: limits({ cpu: 8 }) });
    await setQuota(world, { ...all, fleetId: 'other' }, NONE);
    await setQuota(world, { ...all, userId: '*' }, { ...NONE, limits: limits({ gpu: 3 }) });
    await setQuota(world, { ...all, userId: bob.id }, NONE);
    const first = await claimant(world, 'first', { gpu: 2, 'gpu:h100': 2, cpu: 4000 });
    const second = await claimant(world, 'second', { gpu: 1, cpu: 500 }, bob.id);
    expect(await first.claim(instance)).toBe('applied');
    expect(await second.claim(instance)).toBe('applied');
    const states = await world.store.quotas.ofProject(world.projectId);
    const used = (part: object) =>
      states.find(({ quota }) => Object.entries(part).every(([k, v]) => quota[k as 'id'] === v))
        ?.used;
    const whole = { '': { gpu: 3, 'gpu:h100': 2, cpu: 4500 } };
    expect(used({ fleetId: null, userId: null })).toEqual(whole);
    expect(used({ fleetId: fleet.id })).toEqual(whole);
    expect(used({ fleetId: 'other' })).toEqual({});
    expect(used({ userId: bob.id })).toEqual({ '': { gpu: 1, cpu: 500 } });
    expect(used({ userId: '*' })).toEqual({
      [world.userId]: { gpu: 2, 'gpu:h100': 2, cpu: 4000 },
      [bob.id]: { gpu: 1, cpu: 500 },
    });
    await first.release();
    await second.release();
    expect((await world.store.quotas.ofProject(world.projectId)).map((one) => one.used)).toEqual([
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  it('claims that exceed a limit together are refused, whichever server decides them', async () => {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const stores =
      tests.dialect === 'sqlite' ? [world.store] : [world.store, await tests.open({ url })];
    const { instances } = await insertFleetWithNodes(world, { name: 'hosts' }, [0]);
    await setQuota(world, project(world), { ...NONE, limits: limits({ gpu: 3 }) });
    const claimants = [];
    for (let n = 0; n < 8; n++) claimants.push(await claimant(world, `run-${n}`, { gpu: 1 }));
    const outcomes = await Promise.all(
      claimants.map((one, n) => one.claim(instances[0]!, stores[n % stores.length])),
    );
    expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(3);
    expect(await usedOf(world)).toEqual([{ '': { gpu: 3 } }]);
    const placed = claimants[outcomes.indexOf('applied')]!;
    const refused = claimants[outcomes.indexOf('conflict')]!;
    await placed.release();
    expect(await refused.claim(instances[0]!)).toBe('applied');
  });

  it('a lowered limit ends nothing, and admits nothing until enough was released', async () => {
    const { world, instance } = await fleetOf(tests);
    const set = (gpu: number) =>
      setQuota(world, project(world), { ...NONE, limits: limits({ gpu }) });
    await set(4);
    const [a, b, c] = [
      await claimant(world, 'a', { gpu: 2 }),
      await claimant(world, 'b', { gpu: 2 }),
      await claimant(world, 'c', { gpu: 1 }),
    ];
    await a.claim(instance);
    await b.claim(instance);
    await set(2);
    expect(await usedOf(world)).toEqual([{ '': { gpu: 4 } }]);
    expect(await a.release()).toBe('applied');
    expect(await c.claim(instance)).toBe('conflict');
    await b.release();
    expect(await c.claim(instance)).toBe('applied');
    expect(await usedOf(world)).toEqual([{ '': { gpu: 1 } }]);
  });

  it('claims from before the first quota are counted when it is set, and decisions from before refused', async () => {
    const { world } = await fleetOf(tests);
    const { fleet, instances } = await insertFleetWithNodes(world, { name: 'machines' }, [0]);
    const [machine] = instances;
    const offer = machineOffer(4);
    await world.store.engine.apply([
      ...[
        {
          type: 'instance.update',
          id: machine!.id,
          version: machine!.version,
          set: { offer, totalBlocks: 2 },
        } as const,
      ],
    ]);
    const early = await claimant(world, 'early', {});
    await early.claim(machine!, world.store, false);
    const pool = await poolOf(world);
    await setQuota(world, project(world), { ...NONE, limits: limits({ gpu: 8 }) });
    expect(await usedOf(world)).toEqual([
      {
        '': {
          gpu: 2,
          'gpu:h100': 2,
          cpu: 8000,
          memory: 32_768,
          instances: 500_000,
          cost: 2_000_000,
        },
      },
    ]);
    const check = { type: 'pool.check', ...pool } as const;
    expect(await world.store.engine.apply([check])).toBe('conflict');
    expect(fleet.id).toBe(machine!.fleetId);
    await early.release();
    expect(await usedOf(world)).toEqual([{}]);
  });

  it('a recount drops what a server of an older version has released', async () => {
    const { world, instance } = await fleetOf(tests);
    await setQuota(world, project(world), NONE);
    const one = await claimant(world, 'one', { gpu: 1 });
    await one.claim(instance);
    await rawSql(world.url, `update jobs set instance_id = null, version = version + 1`);
    expect(await usedOf(world)).toEqual([{ '': { gpu: 1 } }]);
    await world.store.quotas.recount();
    expect(await usedOf(world)).toEqual([{}]);
  });

  it('waiting runs are limited in a project, and for each user in it', async () => {
    const world = await openWorld(tests);
    const bob = userRecord({ name: 'bob' });
    await world.store.users.insert(bob);
    const all = project(world);
    await setQuota(world, all, { ...NONE, limits: limits({ runs: 3 }) });
    await setQuota(world, { ...all, userId: '*' }, { ...NONE, limits: limits({ runs: 2 }) });
    const submit = (name: string, userId: string) => {
      const run = runRecord({ projectId: world.projectId, userId, name });
      return world.store.engine.submitRun({
        ...{ projectId: world.projectId, name: { exact: name }, superseded: () => newEvent('') },
        ...{ userId, build: () => ({ run, jobs: [] }) },
      });
    };
    await submit('one', world.userId);
    await submit('two', world.userId);
    expect(await submit('three', world.userId)).toEqual({
      ...{ type: 'quota-of-waiting', of: 'user', waiting: 2, most: 2 },
    });
    expect(await submit('four', bob.id)).toMatchObject({ type: 'submitted' });
    expect(await submit('five', bob.id)).toEqual({
      ...{ type: 'quota-of-waiting', of: 'project', waiting: 3, most: 3 },
    });
  });

  it('a user whose gangs fill the front of a class does not hide those of others', async () => {
    const world = await openWorld(tests);
    const bob = userRecord({ name: 'bob' });
    await world.store.users.insert(bob);
    for (let n = 0; n < 55; n++) await insertWaiting(world, `run-${n}`, { submittedAt: n });
    const last = await insertWaiting(world, 'of-bob', { userId: bob.id, submittedAt: 99 });
    const ids = async () => {
      const pool = await poolOf(world);
      return (await world.store.engine.loadPlacement(pool.id))?.gangs.map(({ run }) => run.id);
    };
    expect(await ids()).not.toContain(last.run.id);
    await setQuota(world, { ...project(world), userId: '*' }, NONE);
    expect(await ids()).toContain(last.run.id);
  });

  it('several quotas are set or deleted together, or none of them', async () => {
    const { world } = await fleetOf(tests);
    const place = project(world);
    const { quotas } = world.store;
    const unknown = { ...place, projectId: 'unknown' };
    await expect(
      quotas.apply([
        { place, terms: { ...NONE, weight: 2 } },
        { place: unknown, terms: NONE },
      ]),
    ).rejects.toThrow();
    expect(await quotas.byPlace(place)).toBeNull();
    await setQuota(world, place, NONE);
    await expect(
      quotas.apply([
        { place, terms: null },
        { place: unknown, terms: NONE },
      ]),
    ).rejects.toThrow();
    expect(await quotas.byPlace(place)).not.toBeNull();
  });

  it('a deleted quota limits nothing and its use is forgotten', async () => {
    const { world, instance } = await fleetOf(tests);
    const place = project(world);
    await setQuota(world, place, { ...NONE, limits: limits({ gpu: 0 }) });
    const one = await claimant(world, 'one', { gpu: 1 });
    expect(await one.claim(instance)).toBe('conflict');
    const remove = () => world.store.quotas.apply([{ place, terms: null }]);
    expect(await remove()).toMatchObject([place]);
    expect(await remove()).toEqual([null]);
    expect(await one.claim(instance)).toBe('applied');
    expect(await rawSql(world.url, 'select * from quota_uses')).toEqual([]);
  });
});

async function poolOf(world: World): Promise<{ id: string; version: number }> {
  const [row] = await rawSql(
    world.url,
    `select p.id, p.version from pools p join projects j on j.pool_id = p.id where j.id = '${world.projectId}'`,
  );
  return { id: String(row?.id), version: Number(row?.version) };
}

function machineOffer(gpus: number): NonNullable<InstanceRecord['offer']> {
  const gpu = { vendor: 'nvidia', name: 'H100', memory_mib: 81_920 };
  const resources = {
    ...{ cpus: 16, memory_mib: 65_536, spot: false, disk: { size_mib: 102_400 }, description: '' },
    gpus: Array.from({ length: gpus }, () => gpu),
  };
  return {
    ...{ backend: 'aws', region: 'eu-1', price: 4, availability: 'available' },
    instance: { name: 'big', resources },
  } as unknown as NonNullable<InstanceRecord['offer']>;
}
