import { type Change, LOCAL_HOST, UNUSED_SERVER_HOST } from '@dstack/core';
import * as builders from '@dstack/core/testing';
import { expect, it } from 'vitest';
import {
  fleetRecord,
  instanceRecord,
  intentRecord,
  jobRecord,
  NO_MEMORY,
  newEvent,
  runRecord,
  runTarget,
} from '../testing/records.ts';
import type { World } from '../testing/stores.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

async function submitted({ store, projectId, userId }: World) {
  const run = runRecord({ projectId, userId });
  const job = jobRecord({ projectId, runId: run.id });
  const fleet = fleetRecord({ projectId });
  const instance = instanceRecord({ projectId, fleetId: fleet.id });
  await store.engine.createFleet({
    projectId,
    name: { exact: 'fleet' },
    build: () => ({ fleet, instances: [instance] }),
  });
  await store.engine.submitRun({
    projectId,
    name: { exact: 'train' },
    build: () => ({ run, jobs: [job] }),
    superseded: (old) => newEvent('Run deleted', runTarget(old)),
  });
  return { run, job, fleet, instance };
}

forEachStore((tests) => {
  it('writes a whole decision and raises each version by one', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, job, instance } = await submitted(world);
    const outcome = await engine.apply([
      { type: 'job.update', id: job.id, version: 0, set: { instanceId: instance.id } },
      { type: 'job.update', id: job.id, version: 0, set: { claimedBlocks: 1 } },
      { type: 'instance.update', id: instance.id, version: 0, set: { status: 'busy' } },
      { type: 'run.update', id: run.id, version: 0, set: { fleetId: instance.fleetId } },
      { type: 'intent.insert', intent: intentRecord(job.id) },
    ]);
    expect(outcome).toBe('applied');
    const snapshot = await engine.loadRun(run.id, NO_MEMORY);
    expect(snapshot?.run).toEqual({ ...run, fleetId: instance.fleetId, version: 1 });
    expect(snapshot?.jobs).toEqual([
      { ...job, instanceId: instance.id, claimedBlocks: 1, version: 1 },
    ]);
    expect(snapshot?.instances).toEqual([{ ...instance, status: 'busy', version: 1 }]);
    expect(snapshot?.intents).toEqual([intentRecord(job.id)]);
    expect(snapshot?.projectName).toBe('main');
  });

  it('refuses a decision that was made long before its write, or after it', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run } = await submitted(world);
    const end: Change = { type: 'run.update', id: run.id, version: 0, set: { status: 'done' } };
    const now = await engine.time();
    expect(await engine.apply([end], [], now - 600_000_000)).toBe('late');
    expect(await engine.apply([end], [], now + 600_000_000)).toBe('late');
    const unchanged = await engine.loadRun(run.id, NO_MEMORY);
    expect(unchanged?.run).toEqual(run);
    expect(await engine.apply([end], [], now)).toBe('applied');
  });

  it('refuses a decision of before a sleep that the server has noticed', async () => {
    const world = await openWorld(tests);
    const { run } = await submitted(world);
    const end: Change = { type: 'run.update', id: run.id, version: 0, set: { status: 'done' } };
    const present = await world.store.engine.time();
    await world.store.close();
    let now = present;
    const measured = async () => {
      now = present;
    };
    const asleep = await tests.open({ url: world.url, now: () => now, measured });
    // Its clock has stood still, and does so until the database's is read.
    now = present - 30_000_000;
    expect(await asleep.engine.apply([end], [], now)).toBe('late');
    expect((await asleep.engine.loadRun(run.id, NO_MEMORY))?.run).toEqual(run);
  });

  if (tests.dialect === 'postgres') {
    it('refuses a decision of a server whose clock is as late as the decision', async () => {
      const world = await openWorld(tests);
      const { run } = await submitted(world);
      const end: Change = { type: 'run.update', id: run.id, version: 0, set: { status: 'done' } };
      const late = (await world.store.engine.time()) - 600_000_000;
      const asleep = await tests.open({ url: world.url, now: () => late });
      expect(await asleep.engine.apply([end], [], late)).toBe('late');
      expect((await world.store.engine.loadRun(run.id, NO_MEMORY))?.run).toEqual(run);
    });
  }

  it('refuses all of a decision when a fleet that it relies on has changed', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, fleet } = await submitted(world);
    const check = { type: 'fleet.check', id: fleet.id, version: 0 } as const;
    const update = { type: 'run.update', id: run.id, version: 0, set: { priority: 1 } } as const;
    expect(await engine.apply([check, update])).toBe('applied');
    const end = { ...check, type: 'fleet.update', set: { status: 'terminating' } } as const;
    expect(await engine.apply([end])).toBe('applied');
    const next = { ...update, version: 1, set: { priority: 2 } };
    expect(await engine.apply([next, check])).toBe('conflict');
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run.priority).toBe(1);
  });

  it('refuses all of a decision when a run that it relies on has another priority', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, job } = await submitted(world);
    const check = { type: 'run.check', id: run.id, priority: run.priority } as const;
    const other = { type: 'run.update', id: run.id, version: 0, set: { fleetId: null } } as const;
    expect(await engine.apply([other])).toBe('applied');
    const update = { type: 'job.update', id: job.id, version: 0, set: { ready: true } } as const;
    expect(await engine.apply([check, update])).toBe('applied');
    expect(await engine.apply([{ ...other, version: 1, set: { priority: 7 } }])).toBe('applied');
    expect(await engine.apply([check, { ...update, version: 1 }])).toBe('conflict');
    expect((await engine.loadRun(run.id, NO_MEMORY))?.jobs[0]?.version).toBe(1);
  });

  it('allocates the last slot of the server host once, however many passes want it at the same time', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet, instance } = await submitted(world);
    const [machine] = (await engine.loadCapacity(world.projectId)).serverHosts;
    expect(machine?.hostId).toBe('local');
    const part = { projectId: world.projectId, fleetId: fleet.id, busyBlocks: 1 };
    const asked = Array.from({ length: 8 }, (_, i) =>
      engine.apply([
        { type: 'local.check', hostId: 'local', state: machine?.state ?? '' },
        {
          type: 'instance.insert',
          instance: instanceRecord({ ...part, instanceNum: instance.instanceNum + 1 + i }),
        },
      ]),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(1);
    expect((await engine.loadFleet(fleet.id))?.instances).toHaveLength(2);
  });

  it('allocates slots of the machines of several servers apart', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet } = await submitted(world);
    const at = (hostId: string, instanceNum: number) =>
      instanceRecord({
        ...{ projectId: world.projectId, fleetId: fleet.id, instanceNum, busyBlocks: 1 },
        hostId,
      });
    const changes = (hostId: string, num: number, state: string): Change[] => [
      { type: 'local.check', hostId, state },
      { type: 'instance.insert', instance: at(hostId, num) },
    ];
    expect(await engine.apply(changes('local-a', 10, UNUSED_SERVER_HOST))).toBe('applied');
    // What happens on another machine does not matter.
    expect(await engine.apply(changes('local-b', 11, UNUSED_SERVER_HOST))).toBe('applied');
    expect(await engine.apply(changes('local-b', 12, UNUSED_SERVER_HOST))).toBe('conflict');
    const machines = (await engine.loadCapacity(world.projectId)).serverHosts;
    const counts = machines.map(({ hostId, instances, busy }) => [hostId, instances, busy.length]);
    expect(counts.filter(([hostId]) => hostId !== 'local').sort()).toEqual([
      ['local-a', 1, 1],
      ['local-b', 1, 1],
    ]);
  });

  if (tests.dialect === 'postgres') {
    it('reads the facts of machines whose servers are alive, and of no others', async () => {
      const world = await openWorld(tests);
      const { engine, hosts } = world.store;
      const facts = {
        ...({ hostname: 'h', arch: 'x86', cpus: 8, memory_bytes: 2 ** 36, disk_bytes: 0 } as const),
        ...{ addresses: [], gpus: [], gpu_driver: null, ssh_host_key: null },
      };
      const link = { connected: true, since: 1, facts, executor: 'process', error: null } as const;
      await engine.claimHost('local-alive', 'one', 9_000_000);
      for (const id of ['local-alive', 'local-dead']) {
        await hosts.save({ id, ...link, failed: false });
      }
      const { serverHosts } = await engine.loadCapacity(world.projectId);
      const found = serverHosts.filter(({ hostId }) => hostId !== 'local');
      expect(found).toMatchObject([{ hostId: 'local-alive', isAlive: true, facts }]);
    });
  }

  it('counts an instance that is not created yet on the machine of its offer', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet } = await submitted(world);
    const { projectId } = world;
    const offer = {
      ...builders.anOffer({ backend: 'local' }),
      backend_data: { [LOCAL_HOST]: 'local-a' },
    };
    const planned = { projectId, fleetId: fleet.id, instanceNum: 10, busyBlocks: 1 };
    const inserted = instanceRecord({ ...planned, hostId: null, offer });
    await engine.apply([{ type: 'instance.insert', instance: inserted }]);
    const [found] = (await engine.loadCapacity(projectId)).serverHosts.filter(
      ({ hostId }) => hostId === 'local-a',
    );
    expect(found).toMatchObject({ instances: 1, busy: [{ busyBlocks: 1 }] });
    const { id, version } = inserted;
    const set = { hostId: 'local-a' };
    const check = { type: 'local.check', hostId: 'local-a', state: found?.state ?? '' } as const;
    expect(await engine.apply([check, { type: 'instance.update', id, version, set }])).toBe(
      'applied',
    );
    expect(await engine.apply([check])).toBe('conflict');
  });

  it('refuses all of a decision when one version is stale', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, job } = await submitted(world);
    await engine.apply([{ type: 'job.update', id: job.id, version: 0, set: { ready: true } }]);
    const outcome = await engine.apply(
      [
        { type: 'run.update', id: run.id, version: 0, set: { status: 'running' } },
        { type: 'intent.insert', intent: intentRecord(job.id) },
        { type: 'event', event: newEvent('never', runTarget(run)) },
        { type: 'job.update', id: job.id, version: 0, set: { status: 'running' } },
      ],
      [{ kind: 'run', id: run.id }],
    );
    expect(outcome).toBe('conflict');
    const snapshot = await engine.loadRun(run.id, NO_MEMORY);
    expect(snapshot?.run).toEqual(run);
    expect(snapshot?.intents).toEqual([]);
    expect(await world.store.events.list({ visibleTo: null })).toEqual([]);
  });

  it('reports a conflict if another writer has inserted the row', async () => {
    const world = await openWorld(tests);
    const { fleet } = await submitted(world);
    const second = instanceRecord({ projectId: world.projectId, fleetId: fleet.id });
    const outcome = await world.store.engine.apply([{ type: 'instance.insert', instance: second }]);
    expect(outcome).toBe('conflict');
  });

  it('releases a number and takes it again in one decision', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet, instance } = await submitted(world);
    const next = instanceRecord({ projectId: world.projectId, fleetId: fleet.id });
    const outcome = await engine.apply([
      { type: 'instance.insert', instance: next },
      { type: 'instance.update', id: instance.id, version: 0, set: { deleted: true } },
    ]);
    expect(outcome).toBe('applied');
    expect((await engine.loadFleet(fleet.id))?.instances).toEqual([next]);
  });

  it('removes a placeholder together with the claim on it', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, job, instance } = await submitted(world);
    await engine.apply([
      { type: 'job.update', id: job.id, version: 0, set: { instanceId: instance.id } },
    ]);
    const outcome = await engine.apply([
      { type: 'instance.delete', id: instance.id, version: 0 },
      { type: 'job.update', id: job.id, version: 1, set: { instanceId: null } },
    ]);
    expect(outcome).toBe('applied');
    expect((await engine.loadRun(run.id, NO_MEMORY))?.instances).toEqual([]);
    expect(await engine.loadInstance(instance.id)).toBeNull();
  });

  it('accepts the same intent twice as one and refuses another under its key', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run, job } = await submitted(world);
    const intent = intentRecord(job.id);
    await engine.apply([{ type: 'intent.insert', intent }]);
    expect(await engine.apply([{ type: 'intent.insert', intent }])).toBe('applied');
    const other = intentRecord(job.id, { payload: { kind: 'job.start', hold: true } });
    const change = { type: 'run.update', id: run.id, version: 0, set: { priority: 7 } } as const;
    await expect(
      engine.apply([change, { type: 'intent.insert', intent: other }]),
    ).rejects.toMatchObject({ code: 'store_intent_conflict' });
    expect((await engine.loadRun(run.id, NO_MEMORY))?.run.priority).toBe(0);
  });

  it('writes events in the order given, with strictly rising instants', async () => {
    const world = await openWorld(tests, { now: () => 5_000_000 });
    const { engine, events } = world.store;
    const { run } = await submitted(world);
    const messages = ['first.', 'second\nline', 'third'];
    await engine.apply(
      messages.map((message) => ({ type: 'event', event: newEvent(message, runTarget(run)) })),
    );
    await engine.apply([{ type: 'event', event: newEvent('fourth', runTarget(run)) }]);
    const listed = await events.list({ visibleTo: null, page: { ascending: true } });
    expect(listed.map((event) => [event.message, event.recordedAt])).toEqual([
      ['first', 5_000_000],
      ['second line', 5_000_001],
      ['third', 5_000_002],
      ['fourth', 5_000_003],
    ]);
  });

  it('finishes an intent once, and amends and cancels only what is announced', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { job } = await submitted(world);
    const done = intentRecord(job.id);
    const dropped = intentRecord(job.id, { key: `job.stop:${job.id}:0`, kind: 'job.stop' });
    await engine.apply([
      { type: 'intent.insert', intent: done },
      { type: 'intent.insert', intent: dropped },
    ]);
    const amended = { kind: 'job.start', hold: true } as const;
    expect(await engine.amendIntent(done.key, amended)).toBe(true);
    expect((await engine.intent(done.key))?.payload).toEqual(amended);
    expect(await engine.finishIntent(done.key, 'done', { kind: 'ok' }, null)).toBe(true);
    expect(await engine.amendIntent(done.key, { kind: 'job.start', hold: false })).toBe(false);
    expect(await engine.finishIntent(done.key, 'failed', null, 'late')).toBe(false);
    await engine.apply([
      { type: 'intent.cancel', key: dropped.key },
      { type: 'intent.cancel', key: done.key },
    ]);
    expect(await engine.announcedIntent(done.key)).toBeNull();
    expect(await engine.intent(done.key)).toMatchObject({ state: 'done', result: { kind: 'ok' } });
    expect(await engine.intent(dropped.key)).toMatchObject({ state: 'failed', error: 'cancelled' });
  });

  it('notifies listeners of committed changes only', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { run } = await submitted(world);
    const heard: string[] = [];
    const stop = engine.onSignal((signal) => heard.push(`${signal.kind}:${signal.id}`));
    const update = { type: 'run.update', id: run.id, version: 0, set: { priority: 1 } } as const;
    await engine.apply([update], [{ kind: 'run', id: 'kept' }]);
    await engine.apply([update], [{ kind: 'run', id: 'stale' }]);
    await engine.signal([{ kind: 'placement', id: 'woken' }]);
    stop();
    await engine.signal([{ kind: 'placement', id: 'unheard' }]);
    expect(heard).toEqual(['run:kept', 'placement:woken']);
  });
});
