import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../store.ts';
import { waitingWork } from '../testing/pools.ts';
import { rawSql } from '../testing/raw-sql.ts';
import {
  fleetRecord,
  instanceRecord,
  jobRecord,
  NO_MEMORY,
  newEvent,
  runRecord,
} from '../testing/records.ts';
import { forEachStore, openWorld, type StoreTests, type World } from '../testing/stores.ts';

const SECOND = 1_000_000;

async function insertRun(world: World, name: string, jobs = 1) {
  const run = runRecord({ projectId: world.projectId, userId: world.userId, name });
  const part = { projectId: world.projectId, runId: run.id };
  const records = Array.from({ length: jobs }, (_, jobNum) => jobRecord({ ...part, jobNum }));
  await world.store.engine.submitRun({
    projectId: world.projectId,
    name: { exact: name },
    build: () => ({ run, jobs: records }),
    superseded: () => newEvent('Run deleted'),
  });
  return { run, jobs: records };
}

/** Opens as many servers as the database allows. */
async function servers(tests: StoreTests): Promise<{ world: World; stores: readonly Store[] }> {
  const url = await tests.createDatabase();
  const world = await openWorld(tests, { url });
  if (tests.dialect === 'sqlite') return { world, stores: [world.store] };
  return { world, stores: [world.store, await tests.open({ url })] };
}

const WORKERS = 8;

function workers<T>(stores: readonly Store[], work: (store: Store, n: number) => Promise<T>) {
  return Promise.all(
    Array.from({ length: WORKERS }, (_, n) => work(stores[n % stores.length]!, n)),
  );
}

forEachStore((tests) => {
  it('lets exactly one of eight workers have each row', async () => {
    const { world, stores } = await servers(tests);
    const runs: string[] = [];
    for (let n = 0; n < 30; n++) runs.push((await insertRun(world, `run-${n}`)).run.id);
    const claimed = await workers(stores, async (store, n) => {
      const mine: string[] = [];
      for (const id of runs) {
        if (await store.engine.claim('run', id, `worker-${n}`, 60 * SECOND)) mine.push(id);
      }
      return mine;
    });
    expect(claimed.flat().toSorted()).toEqual(runs.toSorted());
  });

  it('gives a lease to others when it is released or has run out', async () => {
    const { world } = await servers(tests);
    const { engine } = world.store;
    const { run } = await insertRun(world, 'train');
    expect(await engine.claim('run', run.id, 'a', 60 * SECOND)).toBe(true);
    expect(await engine.claim('run', run.id, 'b', 60 * SECOND)).toBe(false);
    expect(await engine.renew('run', run.id, 'b', 60 * SECOND)).toBe(false);
    await engine.release('run', run.id, 'b');
    expect(await engine.claim('run', run.id, 'b', 60 * SECOND)).toBe(false);
    await engine.release('run', run.id, 'a');
    expect(await engine.claim('run', run.id, 'b', -1 * SECOND)).toBe(true);
    expect(await engine.claim('run', run.id, 'a', 60 * SECOND)).toBe(true);
    expect(await engine.renew('run', run.id, 'b', 60 * SECOND)).toBe(false);
    expect(await engine.renew('run', run.id, 'a', 60 * SECOND)).toBe(true);
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run.version).toBe(0);
  });

  it('leases every kind of work, and the link to a host', async () => {
    const { world } = await servers(tests);
    const { engine, hosts } = world.store;
    await insertRun(world, 'waits');
    const [pool = ''] = await engine.waitingFor({ kind: 'project', projectId: world.projectId });
    expect(await engine.claim('pool', pool, 'a', 60 * SECOND)).toBe(true);
    expect(await engine.claim('pool', pool, 'b', 60 * SECOND)).toBe(false);
    expect(await engine.leaseLeft('pool', pool)).toBeGreaterThan(0);
    // In one process leases have no rows.
    expect(await engine.leaseLeft('pool', 'deleted')).toBe(world.store.shared ? 'gone' : null);
    expect(await engine.claimHost('local', 'a', 60 * SECOND)).toBe(true);
    expect(await engine.claimHost('local', 'b', 60 * SECOND)).toBe(false);
    const host = { id: 'local', connected: true, since: 1, facts: null };
    await hosts.save({ ...host, executor: null, error: null, failed: false });
    expect(await engine.claimHost('other', 'b', 60 * SECOND)).toBe(true);
    const held = ['local', 'other', 'missing'];
    expect(await engine.renewHosts(held, 'a', 60 * SECOND)).toEqual(['local']);
    expect(await engine.renewHosts([], 'a', 60 * SECOND)).toEqual([]);
    await engine.releaseHost('local', 'a');
    expect(await engine.claimHost('local', 'b', 60 * SECOND)).toBe(true);
    expect(await hosts.byId('local')).toMatchObject({ connected: true });
    expect(await engine.hostOwner('local')).toBe('b');
    expect(await engine.hostOwner('unknown')).toBeNull();
    expect(await engine.orphanedHosts()).toEqual([]);
    await engine.releaseHost('local', 'b');
    expect(await engine.hostOwner('local')).toBeNull();
    expect(await engine.orphanedHosts()).toEqual(world.store.shared ? ['local'] : []);
    expect(await engine.claimHost('local', 'a', -1 * SECOND)).toBe(true);
    expect(await engine.hostOwner('local')).toBeNull();
  });

  it('never assigns a block of an instance twice', async () => {
    const { world, stores } = await servers(tests);
    const { projectId } = world;
    const fleet = fleetRecord({ projectId });
    const part = { projectId, fleetId: fleet.id, totalBlocks: 3 };
    const instances = [0, 1, 2].map((instanceNum) => instanceRecord({ ...part, instanceNum }));
    await world.store.engine.createFleet({
      projectId,
      name: { exact: 'fleet' },
      build: () => ({ fleet, instances }),
    });
    const { run } = await insertRun(world, 'train', 12);
    await workers(stores, (store) => assignAll(store, projectId));
    const { jobs } = (await world.store.engine.loadRun(run.id, NO_MEMORY))!;
    const after = (await world.store.engine.loadFleet(fleet.id))!.instances;
    expect(after.map((instance) => instance.busyBlocks)).toEqual([3, 3, 3]);
    for (const instance of after) {
      expect(jobs.filter((job) => job.instanceId === instance.id)).toHaveLength(3);
    }
    expect(jobs.filter((job) => job.instanceId === null)).toHaveLength(3);
  });

  describe('when the writer is killed', () => {
    const children: ChildProcess[] = [];
    afterEach(async () => {
      for (const child of children.splice(0)) await kill(child);
    });

    it('loses no confirmed write, and leaves nothing half done', async () => {
      const url = await tests.createDatabase();
      const world = await openWorld(tests, { url });
      const { run, jobs } = await insertRun(world, 'train');
      if (tests.dialect === 'sqlite') await world.store.close();
      const child = startWriter(url, run.id, jobs[0]!.id);
      children.push(child);
      const told = await killAfter(child, 40);
      const store = await tests.open({ url });
      const snapshot = (await store.engine.loadRun(run.id, NO_MEMORY))!;
      const written = snapshot.run.priority;
      expect(written).toBeGreaterThanOrEqual(told);
      expect(snapshot.jobs[0]!.claimedBlocks).toBe(written);
      expect(snapshot.run.version).toBe(written);
      expect(await store.events.list({ visibleTo: null })).toHaveLength(written);
    });
  });

  if (tests.dialect === 'postgres') betweenServers(tests);
});

/** Takes the first waiting job and the first free block until one of the two is missing. */
async function assignAll(store: Store, projectId: string): Promise<void> {
  for (;;) {
    const snapshot = await waitingWork(store, projectId);
    const job = snapshot?.gangs[0]?.jobs[0];
    const instance = snapshot?.instances.find((i) => i.busyBlocks < (i.totalBlocks ?? 0));
    if (!job || !instance) return;
    await store.engine.apply([
      {
        type: 'job.update',
        id: job.id,
        version: job.version,
        set: { instanceId: instance.id, claimedBlocks: 1 },
      },
      {
        type: 'instance.update',
        id: instance.id,
        version: instance.version,
        set: { busyBlocks: instance.busyBlocks + 1 },
      },
    ]);
  }
}

const WRITER = fileURLToPath(new URL('../testing/writer.ts', import.meta.url));

function startWriter(...args: string[]): ChildProcess {
  return spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/**
 * Kills the process during the writes that follow the given number. Returns the last write that it
 * reported.
 */
async function killAfter(child: ChildProcess, writes: number): Promise<number> {
  let told = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    told = Number(line);
    if (told >= writes) child.kill('SIGKILL');
  }
  await kill(child);
  if (told < writes) throw new Error(`the writer ended after ${told} writes`);
  return told;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function betweenServers(tests: StoreTests): void {
  async function two() {
    const url = await tests.createDatabase();
    const world = await openWorld(tests, { url });
    const heard = { a: [] as string[], b: [] as string[], missed: 0 };
    const b = await tests.open({ url });
    world.store.engine.onSignal((signal) => heard.a.push(`${signal.kind}:${signal.id}`));
    b.engine.onSignal(
      (signal) => heard.b.push(`${signal.kind}:${signal.id}`),
      () => heard.missed++,
    );
    return { url, world, b, heard };
  }

  it('carries signals to the other server, and each once to the sender', async () => {
    const { world, b, heard } = await two();
    const { run } = await insertRun(world, 'train');
    const update = { type: 'run.update', id: run.id, version: 0, set: { priority: 1 } } as const;
    await world.store.engine.apply([update], [{ kind: 'run', id: run.id }]);
    await world.store.engine.apply([update], [{ kind: 'run', id: 'stale' }]);
    await b.engine.signal([{ kind: 'intent', id: 'job.start:1:0' }]);
    await vi.waitFor(() => {
      expect(heard.a).toEqual([`run:${run.id}`, 'intent:job.start:1:0']);
      expect(heard.b).toHaveLength(2);
    });
    expect(heard.b.toSorted()).toEqual(['intent:job.start:1:0', `run:${run.id}`]);
  });

  it('reports that signals may be lost when its connection breaks, and receives them again', async () => {
    const { url, world, heard } = await two();
    await rawSql(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'dstack signals' and datname = current_database()`,
    );
    await vi.waitFor(() => expect(heard.missed).toBe(1), { timeout: 10_000 });
    await world.store.engine.signal([{ kind: 'run', id: 'again' }]);
    await vi.waitFor(() => expect(heard.b).toEqual(['run:again']));
  });

  it('notifies the other server of events and of their runs', async () => {
    const { world, b } = await two();
    const { store, projectId } = world;
    const changed = { a: [] as string[], b: [] as string[] };
    let written = 0;
    store.runs.onChangedElsewhere((runId) => changed.a.push(runId));
    b.runs.onChangedElsewhere((runId) => changed.b.push(runId));
    b.events.onWritten(() => {
      written += 1;
    });
    const target = { type: 'run', id: 'run-1', name: 'train', projectId, parentId: null } as const;
    const project = { ...target, type: 'project', id: projectId } as const;
    await store.events.write([newEvent('about a run', target), newEvent('about no run', project)]);
    await vi.waitFor(() => expect([changed.b, written]).toEqual([['run-1'], 2]));
    expect(changed.a).toEqual([]);
  });

  it('notifies only the other server of new output', async () => {
    const { world, b, heard } = await two();
    const logs = { a: [] as string[], b: [] as string[] };
    world.store.logs.signals.subscribe((stream) => logs.a.push(stream));
    b.logs.signals.subscribe((stream) => logs.b.push(stream));
    world.store.logs.signals.announce('main/train/job:1');
    await vi.waitFor(() => expect(logs.b).toEqual(['main/train/job:1']));
    expect(logs.a).toEqual([]);
    expect([...heard.a, ...heard.b]).toEqual([]);
  });

  it('lets servers that start together on an empty database wait for one another', async () => {
    const url = await tests.createEmptyDatabase();
    const stores = await Promise.all([1, 2, 3, 4].map(() => tests.open({ url })));
    const ids = await Promise.all(stores.map((store) => store.meta.serverId()));
    expect(new Set(ids).size).toBe(1);
  });
}
