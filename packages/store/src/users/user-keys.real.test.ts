import type { RunRecord } from '@dstack/core';
import pg from 'pg';
import { expect, it, vi } from 'vitest';
import { parseDatabaseUrl } from '../connection/url.ts';
import { rawSql } from '../testing/raw-sql.ts';
import {
  fleetRecord,
  instanceRecord,
  jobRecord,
  newEvent,
  runRecord,
  userRecord,
} from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

async function bobIn({ store, projectId }: World): Promise<string> {
  const bob = userRecord({ name: 'bob', sshPublicKey: 'ssh-rsa OLD bob\n' });
  await store.users.insert(bob);
  await store.projects.addMembers(projectId, [{ userId: bob.id, role: 'user' }]);
  return bob.id;
}

async function insertRun(world: World, userId: string, name: string, part: Partial<RunRecord>) {
  const { store, projectId } = world;
  const run = runRecord({ projectId, userId, name, ...part });
  const job = jobRecord({ projectId, runId: run.id });
  await store.engine.submitRun({
    projectId,
    name: { exact: name },
    build: () => ({ run, jobs: [job] }),
    superseded: () => newEvent('Run deleted'),
  });
  return { run, job };
}

const withKey = (ssh_key_pub: string) => ({
  spec: { ssh_key_pub, configuration: { type: 'task' } } as unknown as RunRecord['spec'],
});

/** Runs a statement in a transaction that stays open; returns the function that commits it. */
async function uncommitted(url: string, statement: string): Promise<() => Promise<void>> {
  const parsed = parseDatabaseUrl(url);
  if (parsed.dialect !== 'postgres') throw new Error('needs PostgreSQL');
  const client = new pg.Client({ connectionString: parsed.connectionString });
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return async () => {
    await client.query('commit');
    await client.end();
  };
}

async function isAnyoneWaiting(url: string): Promise<boolean> {
  const waiting = await rawSql(
    url,
    `select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return waiting.length > 0;
}

forEachStore((tests) => {
  it('reports changes of a user’s keys, and nothing if none changed', async () => {
    const world = await openWorld(tests);
    const { users } = world.store;
    const bob = await bobIn(world);
    const key = {
      ...{ id: 'k1', userId: bob, name: 'laptop', type: 'ssh-ed25519' },
      ...{ fingerprint: 'SHA256:x', key: 'ssh-ed25519 AAAA', addedAt: 1 },
    };
    const heard: unknown[] = [];
    world.store.access.onChanged((subject) => heard.push(subject));
    await users.deletePublicKeys(bob, ['absent']);
    expect(heard).toEqual([]);
    await users.addPublicKey(key);
    await users.deletePublicKeys(bob, ['k1']);
    await users.setSshKeys(bob, { privateKey: 'p', publicKey: 'q' });
    expect(heard).toEqual(Array(3).fill({ kind: 'user', id: bob }));
  });

  it('replaces the earlier key in unfinished runs only', async () => {
    const world = await openWorld(tests);
    const { runs, users } = world.store;
    const bob = await bobIn(world);
    const old = withKey('ssh-rsa OLD bob\n');
    const live = await insertRun(world, bob, 'live', old);
    const done = await insertRun(world, bob, 'done', { ...old, status: 'done' });
    const own = await insertRun(world, bob, 'own', withKey('ssh-ed25519 OWN'));
    const others = await insertRun(world, world.userId, 'others', old);
    await users.setSshKeys(bob, { privateKey: 'p', publicKey: 'ssh-rsa NEW bob\n' });
    const keys = [live, done, own, others].map(async ({ run }) => {
      const view = await runs.byId(run.id);
      return [view?.run.spec.ssh_key_pub, view?.run.version];
    });
    expect(await Promise.all(keys)).toEqual([
      ['ssh-rsa NEW bob\n', 1],
      ['ssh-rsa OLD bob\n', 0],
      ['ssh-ed25519 OWN', 0],
      ['ssh-rsa OLD bob\n', 0],
    ]);
  });

  if (tests.dialect === 'postgres') {
    it('keeps a change that another server makes to a run at the same time', async () => {
      const world = await openWorld(tests);
      const { runs, users } = world.store;
      const bob = await bobIn(world);
      const { run } = await insertRun(world, bob, 'live', withKey('ssh-rsa OLD bob\n'));
      const update = `update runs set version = version + 1,
        spec = '{"ssh_key_pub": "ssh-rsa OLD bob\\n", "run_name": "renamed", "configuration": {"type": "task"}}'`;
      const commit = await uncommitted(world.url, update);
      const keys = { privateKey: 'p', publicKey: 'ssh-rsa NEW bob\n' };
      const replaced = users.setSshKeys(bob, keys);
      try {
        await vi.waitUntil(() => isAnyoneWaiting(world.url));
      } finally {
        await commit();
      }
      await replaced;
      const spec = (await runs.byId(run.id))?.run.spec;
      expect(spec).toMatchObject({ ssh_key_pub: 'ssh-rsa NEW bob\n', run_name: 'renamed' });
    });
  }

  it('finds the hosts of a user’s unfinished jobs, and the jobs of a host with their runs', async () => {
    const world = await openWorld(tests);
    const { engine, jobs } = world.store;
    const { projectId } = world;
    const bob = await bobIn(world);
    const fleet = fleetRecord({ projectId });
    const instance = instanceRecord({ projectId, fleetId: fleet.id, hostId: 'host-1' });
    await engine.createFleet({
      projectId,
      name: { exact: 'fleet' },
      build: () => ({ fleet, instances: [instance] }),
    });
    const { run, job } = await insertRun(world, bob, 'live', {});
    await insertRun(world, bob, 'elsewhere', {});
    const ofBob = { kind: 'user', id: bob } as const;
    expect(await jobs.hostsOf(ofBob)).toEqual([]);
    const set = { instanceId: instance.id };
    await engine.apply([{ type: 'job.update', id: job.id, version: 0, set }]);
    expect(await jobs.hostsOf(ofBob)).toEqual(['host-1']);
    expect(await jobs.hostsOf({ kind: 'user', id: world.userId })).toEqual([]);
    expect(await jobs.hostsOf({ kind: 'project', id: projectId })).toEqual(['host-1']);
    const views = await jobs.viewsOnHost('host-1');
    expect(views.map((view) => [view.job.id, view.run.id])).toEqual([[job.id, run.id]]);
    const finished = { status: 'done' as const };
    await engine.apply([{ type: 'job.update', id: job.id, version: 1, set: finished }]);
    expect([await jobs.hostsOf(ofBob), await jobs.viewsOnHost('host-1')]).toEqual([[], []]);
  });
});
