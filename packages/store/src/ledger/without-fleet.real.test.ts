import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, jobInterval } from '@dstack/core';
import * as builders from '@dstack/core/testing';
import { expect, it, onTestFinished } from 'vitest';
import { openStore } from '../open-store.ts';
import { insertFleetWithNodes, insertRun } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { projectRecord, userRecord } from '../testing/records.ts';
import { storeOptions } from '../testing/store-options.ts';

const HOUR = 3_600_000_000;
const T0 = builders.T0;

/** A run with a schedule, which has a fleet only while it is under way. */
async function scene() {
  const dir = mkdtempSync(join(tmpdir(), 'ledger-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const url = `sqlite:///${join(dir, 'data.db')}`;
  const store = await openStore(storeOptions(url));
  const user = userRecord({ name: 'alice' });
  const project = projectRecord(user.id, { name: 'main' });
  await store.users.insert(user);
  await store.projects.insert(project);
  const world = { store, url, userId: user.id, projectId: project.id };
  const { fleet, instances } = await insertFleetWithNodes(world, { name: 'hosts' });
  const offer = builders.anOffer({ gpus: 1, gpu: 'H100', price: 3 });
  const provisioningData = builders.provisioningDataFor(offer);
  const { run, jobs } = await insertRun(
    world,
    { name: 'nightly', fleetId: null, status: 'pending' },
    [{ provisioningData, provisionedAt: T0, finishedAt: T0 + HOUR, status: 'done' }],
  );
  const [host] = instances;
  const [job] = jobs;
  if (!host || !job) throw new Error('nothing was inserted');
  return { world, fleet, run, job, host: { ...host, offer, price: 3, totalBlocks: 1 } };
}

it('a run that waits for its next start shows what its earlier ones have cost', async () => {
  const { world, run, job, host } = await scene();
  const held = { ...job, provisionedAt: T0, claimedBlocks: 1 };
  const interval = jobInterval(held, run, host, T0 + HOUR);
  if (interval === null) throw new Error('no time has passed');
  const change: Change = { type: 'ledger.append', interval };
  expect(await world.store.engine.apply([change])).toBe('applied');
  expect((await world.store.runs.byId(run.id))?.cost).toBe(3_000_000);
  await world.store.close();
});

it('what earlier starts had cost before an upgrade is entered, without their fleet', async () => {
  const { world, run } = await scene();
  await world.store.close();
  for (const statement of [
    'drop table ledger_parts',
    'drop table ledger_days',
    'alter table instances drop column priced_since',
    'alter table instances drop column address',
    "delete from dstack_migrations where name in ('ledger', 'addresses')",
  ]) {
    await rawSql(world.url, statement);
  }
  const store = await openStore(storeOptions(world.url));
  expect((await store.runs.byId(run.id))?.cost).toBe(3_000_000);
  const period = { since: T0, until: T0 + HOUR, now: T0 + HOUR };
  const question = { projectIds: [world.projectId], ...period, by: 'fleet' } as const;
  expect(await store.ledger.report(question)).toMatchObject({
    rows: [{ fleetName: '', used: { cost: 3_000_000 }, idle: { cost: 0 } }],
  });
  await store.close();
});
