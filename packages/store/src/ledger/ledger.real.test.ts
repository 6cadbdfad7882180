import { type Change, instanceInterval, jobInterval, type PricedInterval } from '@dstack/core';
import * as builders from '@dstack/core/testing';
import { expect, it } from 'vitest';
import { insertFleetWithNodes, insertRun } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const T0 = builders.T0;

/** A host with two blocks and a GPU, for $3 an hour, and a run of one job. */
async function scene(tests: StoreTests, statements: string[] = []) {
  const world = await openWorld(tests, { onStatement: (text: string) => statements.push(text) });
  const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' });
  const { run, jobs } = await insertRun(world, { name: 'train', fleetId: fleet.id }, [{}]);
  const offer = builders.anOffer({ gpus: 1, gpu: 'H100', price: 3 });
  const set = { offer, price: 3, totalBlocks: 2, startedAt: T0 };
  const [host] = instances;
  const [job] = jobs;
  if (!host || !job) throw new Error('nothing was inserted');
  expect(await update(world, 'instance', host.id, 0, set)).toBe('applied');
  const claim = { instanceId: host.id, claimedBlocks: 1, provisionedAt: T0 + HOUR };
  expect(await update(world, 'job', job.id, 0, claim)).toBe('applied');
  const machine = { ...host, ...set };
  const interval = (until: number, more: object = {}) =>
    jobInterval({ ...job, ...claim }, run, { ...machine, ...more }, until);
  return { world, fleet, run, job, machine, interval };
}

const update = (
  { store }: World,
  kind: 'job' | 'instance',
  id: string,
  version: number,
  set: object,
  ...more: readonly Change[]
) => store.engine.apply([{ type: `${kind}.update`, id, version, set } as Change, ...more]);

const enter = (interval: PricedInterval | null): Change => {
  if (interval === null) throw new Error('no time has passed');
  return { type: 'ledger.append', interval };
};

const entered = async ({ url }: World, table: 'parts' | 'days') =>
  (await rawSql(url, `select * from ledger_${table} order by day, ms, cost`)).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        /^\d+$/.test(`${value}`) ? Number(value) : value,
      ]),
    ),
  );

const droppedTriggers = async ({ url }: World): Promise<string[]> => {
  const triggers = await rawSql(url, "select name from sqlite_master where type = 'trigger'");
  return triggers.map(({ name }) => `drop trigger ${name}`);
};

forEachStore((tests) => {
  it('enters what a job has cost, by days, in the transaction in which it leaves', async () => {
    const { world, fleet, run, job, interval } = await scene(tests);
    const leave = { instanceId: null, claimedBlocks: 0 };
    const change = enter(interval(T0 + DAY + HOUR));
    expect(await update(world, 'job', job.id, 7, leave, change)).toBe('conflict');
    expect(await entered(world, 'parts')).toEqual([]);
    expect(await update(world, 'job', job.id, 1, leave, change)).toBe('applied');
    const of = {
      project_id: world.projectId,
      fleet_id: fleet.id,
      user_id: world.userId,
      gpu: 'H100',
    };
    const first = { day: T0 / DAY, ...of, ms: 23 * 3_600_000, cost: 34_500_000, unpriced_ms: 0 };
    const second = { day: T0 / DAY + 1, ...of, ms: 3_600_000, cost: 1_500_000, gpu_ms: 1_800_000 };
    expect(await entered(world, 'days')).toMatchObject(
      [second, first].toSorted((a, b) => a.day - b.day),
    );
    expect(await entered(world, 'parts')).toMatchObject([
      { ...first, subject_id: job.id, run_id: run.id, run_name: 'train', price: 3_000_000 },
      { ...second, began_at: T0 + HOUR, since: T0 + DAY, until: T0 + DAY + HOUR, blocks: 1 },
    ]);
  });

  it('adds to the sums of a day, apart by user, fleet, GPU and tags', async () => {
    const { world, interval } = await scene(tests);
    const one = interval(T0 + 2 * HOUR);
    const run = one?.run;
    if (!one || !run) throw new Error('no interval');
    const of = (subjectId: string, tags: Record<string, string> = {}) =>
      enter({ ...one, subjectId, run: { ...run, tags } });
    await world.store.engine.apply([of('1'), of('2')]);
    await world.store.engine.apply([
      of('3'),
      of('4', { a: '1', b: '2' }),
      of('5', { b: '2', a: '1' }),
    ]);
    expect(await entered(world, 'days')).toMatchObject([
      { cost: 3_000_000, tags: '{"a":"1","b":"2"}' },
      { cost: 4_500_000, tags: '', tags_key: '' },
    ]);
    expect(await entered(world, 'parts')).toHaveLength(5);
  });

  it('adds what is entered twice to the sums of its day once', async () => {
    const { world, interval } = await scene(tests);
    const change = enter(interval(T0 + 2 * HOUR));
    await world.store.engine.apply([change, change]);
    await world.store.engine.apply([change]);
    const longer = enter(interval(T0 + DAY + HOUR));
    await world.store.engine.apply([longer]);
    expect(await entered(world, 'parts')).toHaveLength(2);
    expect(await entered(world, 'days')).toMatchObject(
      [
        { day: T0 / DAY + 1, ms: 3_600_000 },
        { day: T0 / DAY, ms: 3_600_000 },
      ].toSorted((a, b) => a.day - b.day),
    );
  });

  it('takes two statements for all that ends at once, and none for other changes', async () => {
    const statements: string[] = [];
    const { world, job, machine, interval } = await scene(tests, statements);
    const count = async (version: number, ...more: Change[]) => {
      statements.length = 0;
      expect(
        await update(world, 'job', job.id, version, { ready: version % 2 === 0 }, ...more),
      ).toBe('applied');
      return statements.length;
    };
    const without = await count(1);
    const until = T0 + 5 * HOUR;
    const both = [enter(interval(until)), enter(instanceInterval(machine, until))];
    expect(await count(2, ...both)).toBe(without + 2);
    expect(statements.filter((text) => /ledger/.test(text) && /join/i.test(text))).toEqual([]);
  });

  it('begins new intervals for a machine and its jobs when its price changes', async () => {
    const { world, machine, job, interval } = await scene(tests);
    const at = T0 + 2 * HOUR;
    const reprice: Change = { type: 'ledger.reprice', instance: machine, at };
    const priced = { price: 5, pricedSince: at };
    expect(await update(world, 'instance', machine.id, 0, priced, reprice)).toBe('conflict');
    expect(await entered(world, 'parts')).toEqual([]);
    expect(await update(world, 'instance', machine.id, 1, priced, reprice)).toBe('applied');
    expect(await entered(world, 'parts')).toMatchObject([
      { subject_id: job.id, since: T0 + HOUR, until: at, cost: 1_500_000 },
      { subject_id: machine.id, run_id: '', user_id: '', since: T0, until: at, cost: 6_000_000 },
    ]);
    const rest = interval(T0 + 4 * HOUR, priced);
    expect(rest).toMatchObject({ since: at, price: 5_000_000 });
  });

  it('is deleted day by day, the parts before the sums', async () => {
    const { world, interval } = await scene(tests);
    await world.store.engine.apply([enter(interval(T0 + 3 * DAY))]);
    const { retention } = world.store;
    expect(await retention.deleteLedger('parts', T0 / DAY + 2, 1)).toBe(1);
    expect(await retention.deleteLedger('parts', T0 / DAY + 2, 9)).toBe(1);
    expect(await retention.deleteLedger('parts', T0 / DAY + 2, 9)).toBe(0);
    expect(await retention.deleteLedger('days', T0 / DAY + 1, 9)).toBe(1);
    expect(await entered(world, 'parts')).toHaveLength(1);
    expect(await entered(world, 'days')).toHaveLength(2);
  });

  it('has what ended before an upgrade; what runs is entered when it ends', async () => {
    const { world, fleet } = await scene(tests);
    const provisioningData = builders.provisioningDataFor(
      builders.anOffer({ gpus: 4, gpu: 'A100', price: 8 }),
    );
    const runtimeData = { offer: { blocks: 1, total_blocks: 2 } } as never;
    const times = { provisionedAt: T0 - 2 * HOUR, finishedAt: T0 + DAY };
    await insertRun(world, { name: 'old', fleetId: fleet.id, status: 'done' }, [
      { provisioningData, runtimeData, ...times, status: 'done' },
      { jobNum: 1, provisioningData: { ...provisioningData, price: 0 }, ...times, status: 'done' },
      { jobNum: 2, ...times, finishedAt: null, provisioningData, status: 'running' },
    ]);
    await world.store.close();
    for (const statement of [
      // They name the column.
      ...(tests.dialect === 'sqlite' ? await droppedTriggers(world) : []),
      'drop table ledger_parts',
      'drop table ledger_days',
      'alter table instances drop column priced_since',
      'alter table instances drop column address',
      "delete from dstack_migrations where name in ('ledger', 'addresses')",
    ]) {
      await rawSql(world.url, statement);
    }
    const again = { ...world, store: await tests.open({ url: world.url }) };
    const parts = await entered(again, 'parts');
    expect(
      parts.map(({ run_name, day, cost, gpu_ms, unpriced_ms }) => [
        run_name,
        day,
        cost,
        gpu_ms,
        unpriced_ms,
      ]),
    ).toEqual([
      ['old', T0 / DAY - 1, 0, 4 * 7_200_000, 7_200_000],
      ['old', T0 / DAY - 1, 8_000_000, 2 * 7_200_000, 0],
      ['old', T0 / DAY, 0, 4 * 86_400_000, 86_400_000],
      ['old', T0 / DAY, 96_000_000, 2 * 86_400_000, 0],
    ]);
    expect(await entered(again, 'days')).toMatchObject([
      { day: T0 / DAY - 1, cost: 8_000_000, gpu: 'A100', user_id: world.userId, ms: 14_400_000 },
      { day: T0 / DAY, cost: 96_000_000 },
    ]);
  });
});
