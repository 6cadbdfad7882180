import { expect, it } from 'vitest';
import type { Store } from '../store.ts';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { newEvent, projectRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';
import type { RecordChange } from './types.ts';

/** Collects the changes that a store announces. */
function listen({ changes }: Store) {
  const heard: RecordChange[] = [];
  changes.subscribe(
    (more) => heard.push(...more),
    () => {},
  );
  return {
    heard,
    texts: () => heard.map(({ kind, id, part }) => [kind, part ?? id].join(' ')),
    clear: () => heard.splice(0),
  };
}

function runStatus(world: World, run: { id: string; version: number }, status: 'running' | 'done') {
  const { id, version } = run;
  return world.store.engine.apply([
    { type: 'run.update', id, version, set: { status } },
    { type: 'event', event: newEvent(`Run is ${status}`) },
  ]);
}

forEachStore((tests) => {
  it('announces new and changed records with their versions, and events', async () => {
    const world = await openWorld(tests);
    const changes = listen(world.store);
    const { run, jobs } = await insertRun(world, { name: 'train' }, [{}]);
    expect(changes.heard).toEqual([
      { kind: 'run', id: run.id, version: run.version, part: null },
      { kind: 'job', id: jobs[0]?.id, version: jobs[0]?.version, part: null },
    ]);
    changes.clear();
    await runStatus(world, run, 'running');
    expect(changes.heard).toEqual([
      { kind: 'run', id: run.id, version: run.version + 1, part: null },
      { kind: 'event', id: expect.any(String), version: null, part: null },
    ]);
  });

  it('announces nothing when a transaction is rolled back, or writes what no client sees', async () => {
    const world = await openWorld(tests);
    const { run } = await insertRun(world, { name: 'train' });
    const changes = listen(world.store);
    expect(await runStatus(world, { ...run, version: 7 }, 'running')).toBe('conflict');
    const { id, version } = run;
    const set = { nextPassAt: 5, lastProcessedAt: 6 };
    await world.store.engine.apply([{ type: 'run.update', id, version, set }]);
    expect(changes.heard).toEqual([]);
  });

  it('announces no events that are not stored, but their records', async () => {
    const world = await openWorld(tests, { storeEvents: false });
    const { run } = await insertRun(world, { name: 'train' });
    const changes = listen(world.store);
    await runStatus(world, run, 'running');
    expect(changes.texts()).toEqual([`run ${run.id}`]);
  });

  it('announces parts of projects and users', async () => {
    const world = await openWorld(tests);
    const { store, projectId, userId } = world;
    const bob = userRecord({ name: 'bob' });
    await store.users.insert(bob);
    const other = projectRecord(bob.id, { name: 'other' });
    await store.projects.insert(other);
    const { fleet } = await insertFleet(world, 'pool');
    const changes = listen(store);
    await store.projects.addMembers(projectId, [{ userId: bob.id, role: 'user' }]);
    await store.secrets.put({ id: 's', projectId, name: 'key', value: 'v' });
    await store.secrets.put({ id: 's', projectId, name: 'key', value: 'v' });
    await store.projects.update(projectId, { isPublic: true });
    await store.users.update(userId, { email: 'a@b' });
    const record = { id: 'e', projectId, name: 'share', isGlobal: false, createdAt: 1 };
    const content = { importers: [other.id], fleets: [fleet.id], gateways: [] };
    await store.exports.insert(record, content);
    expect(changes.texts()).toEqual([
      'project members',
      'project secrets',
      'project settings',
      'user settings',
      'project exports',
      'project imports',
    ]);
    expect(changes.heard.at(-1)?.id).toBe(other.id);
  });

  it('counts the other servers of the database that receive messages', async () => {
    const world = await openWorld(tests);
    expect(await world.store.peers.others()).toBe(0);
    if (tests.dialect !== 'postgres') return;
    const others = [await tests.open({ url: world.url }), await tests.open({ url: world.url })];
    expect(await Promise.all([world.store, ...others].map(({ peers }) => peers.others()))).toEqual([
      ...[2, 2, 2],
    ]);
    await others[0]?.close();
    expect(await others[1]?.peers.others()).toBe(1);
  });

  it('announces progress of jobs', async () => {
    const world = await openWorld(tests);
    const { jobs } = await insertRun(world, { name: 'train' }, [{}]);
    const id = jobs[0]?.id ?? '';
    const changes = listen(world.store);
    const pull = {
      ...{ downloaded_bytes: 1, extracted_bytes: 0, total_bytes: 2, is_total_bytes_final: true },
    };
    await world.store.reports.savePull(id, pull);
    await world.store.reports.savePull('unknown', pull);
    const point = { timestamp_micro: 1, cpu_usage_micro: 1 };
    const metrics = { ...point, memory_usage_bytes: 1, memory_working_set_bytes: 1, gpus: [] };
    await world.store.metrics.addJobPoints([{ jobId: id, metrics }]);
    expect(changes.texts()).toEqual([`pull ${id}`, `metrics ${id}`]);
  });

  // One server alone has a SQLite file.
  if (tests.dialect !== 'postgres') return;

  it('announces them to other servers', async () => {
    const world = await openWorld(tests);
    const other = await tests.open({ url: world.url });
    const elsewhere = listen(other);
    const complete = new Promise<void>((resolve) => {
      other.changes.subscribe(
        (changes) => changes.some(({ kind }) => kind === 'metrics') && resolve(),
        () => {},
      );
    });
    const { run, jobs } = await insertRun(
      world,
      { name: 'train' },
      Array.from({ length: 300 }, (_, jobNum) => ({ jobNum })),
    );
    await runStatus(world, run, 'running');
    await world.store.projects.update(world.projectId, { isPublic: true });
    const point = { timestamp_micro: 1, cpu_usage_micro: 1, gpus: [] };
    const metrics = { ...point, memory_usage_bytes: 1, memory_working_set_bytes: 1 };
    await world.store.metrics.addJobPoints([{ jobId: jobs[0]?.id ?? '', metrics }]);
    await complete;
    const events = elsewhere.heard.filter(({ kind }) => kind === 'event');
    expect(elsewhere.heard.filter(({ kind }) => kind !== 'event')).toEqual([
      { kind: 'run', id: run.id, version: run.version, part: null },
      ...jobs.map(({ id, version }) => ({ kind: 'job', id, version, part: null })),
      { kind: 'run', id: run.id, version: run.version + 1, part: null },
      { kind: 'project', id: world.projectId, version: null, part: 'settings' },
      { kind: 'metrics', id: jobs[0]?.id, version: null, part: null },
    ]);
    expect(events).toHaveLength(1);
  });

  it('reports that changes may be lost', async () => {
    const { store, url } = await openWorld(tests);
    const missed = new Promise<void>((resolve) => store.changes.subscribe(() => {}, resolve));
    await rawSql(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'dstack signals' and datname = current_database()`,
    );
    await missed;
  });
});
