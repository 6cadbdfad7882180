import type { AttachmentRecord, Change, VolumeRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { insertFleet, insertRun } from '../testing/insert.ts';
import { waitingWork } from '../testing/pools.ts';
import { fleetRecord, NO_MEMORY, newEvent, volumeRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';

async function insertVolume(world: World, part: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
  const volume = volumeRecord(world, { status: 'active', ...part });
  await world.store.volumes.insert(world.projectId, { exact: volume.name }, () => ({
    ...{ volume, events: [newEvent('Volume created. Status: SUBMITTED')] },
  }));
  return volume;
}

function attachmentTo(instanceId: string, part: Partial<AttachmentRecord> = {}): AttachmentRecord {
  return {
    ...{ id: 'a1', volumeId: 'v1', instanceId, status: 'attaching', statusChangedAt: 5 },
    ...{ error: null, attachmentData: null, version: 0 },
    ...part,
  };
}

/** A fleet of one SSH host. */
async function insertSshFleet(world: World) {
  const { spec } = fleetRecord(world);
  const ssh_config = { hosts: ['10.0.0.1'] };
  const configuration = { ...spec.configuration, ssh_config } as never;
  return await insertFleet(world, 'lab', world.projectId, { spec: { ...spec, configuration } });
}

const MOUNTS = {
  configuration: { type: 'task', volumes: [{ name: 'data', path: '/data' }] },
} as never;

/** A run with two jobs on one instance that mount a volume. */
async function openMounted(world: World) {
  const { fleet, instance } = await insertFleet(world, 'lab');
  await insertVolume(world);
  const place = { status: 'running', instanceId: instance.id } as const;
  const { run, jobs } = await insertRun(world, { spec: MOUNTS, status: 'running' }, [
    { ...place, jobNum: 0 },
    { ...place, jobNum: 1 },
  ]);
  const uses = jobs.map(
    ({ id: jobId }): Change => ({
      type: 'volume-use.insert',
      use: { volumeId: 'v1', jobId, mountNum: 0, releasedAt: null },
    }),
  );
  return { fleet, instance, run, jobs, uses };
}

forEachStore((tests) => {
  it('gives the volumes of a run with their attachments', async () => {
    const world = await openWorld(tests);
    const { engine, volumes } = world.store;
    const { instance, run, jobs, uses } = await openMounted(world);
    const [first, second] = jobs.map((job) => job.id);
    expect(await engine.apply(uses)).toBe('applied');
    expect((await engine.loadRun(run.id, NO_MEMORY))?.volumes).toMatchObject([
      { name: 'data', attachment: null, hasOthers: true },
      { name: 'data', attachment: null, hasOthers: true },
    ]);
    const attachment = attachmentTo(instance.id);
    await engine.apply([{ type: 'attachment.insert', attachment }]);
    const attachmentData = { device_name: '/dev/sdb' };
    const set = { status: 'attached', attachmentData } as const;
    await engine.apply([{ type: 'attachment.update', id: 'a1', version: 0, set }]);
    await engine.apply([{ type: 'volume-use.release', jobId: second ?? '', at: 9 }]);
    expect((await engine.loadRun(run.id, NO_MEMORY))?.volumes).toMatchObject([
      { jobId: first, releasedAt: null, attachment: { status: 'attached' }, hasOthers: false },
      { jobId: second, releasedAt: 9, attachment: { status: 'attached' }, hasOthers: true },
    ]);
    expect((await volumes.ofJob(first ?? '')).map(({ name }) => name)).toEqual(['data']);
    await engine.apply([{ type: 'volume-use.delete', jobId: first ?? '' }]);
    expect(await volumes.ofJob(first ?? '')).toEqual([]);
    const bare = await insertRun(world, { name: 'bare' }, [{}]);
    expect((await engine.loadRun(bare.run.id, NO_MEMORY))?.volumes).toEqual([]);
  });

  it('refuses a second attachment to an instance, and stale writes', async () => {
    const world = await openWorld(tests);
    const { engine, volumes } = world.store;
    const { instance } = await openMounted(world);
    const attachment = attachmentTo(instance.id);
    expect(await engine.apply([{ type: 'attachment.insert', attachment }])).toBe('applied');
    const again = { ...attachment, id: 'a2' };
    const twice: Change = { type: 'attachment.insert', attachment: again };
    expect(await engine.apply([twice])).toBe('conflict');
    const removal: Change = { type: 'attachment.delete', id: 'a1', version: 7 };
    expect(await engine.apply([removal])).toBe('conflict');
    expect(await volumes.attachment('a1')).toEqual(attachment);
    expect((await volumes.byId('v1'))?.attachments).toMatchObject([
      { instanceName: 'fleet-0', instanceNum: 0, fleetName: 'lab', status: 'attaching' },
    ]);
    // The instance that was freed in a decision can be taken in it.
    expect(await engine.apply([{ ...removal, version: 0 }, twice])).toBe('applied');
    expect(await volumes.attachment('a2')).toEqual(again);
  });

  it('gives a pass everything that decides the next step of a volume', async () => {
    const world = await openWorld(tests);
    const { engine, hosts, volumeObservations } = world.store;
    const { fleet, instance, jobs, uses } = await openMounted(world);
    await engine.apply([
      ...uses,
      { type: 'attachment.insert', attachment: attachmentTo(instance.id) },
      { type: 'job.update', id: jobs[1]?.id ?? '', version: 0, set: { status: 'done' } },
    ]);
    const record = { volumeId: 'v1', since: 1, checkedAt: 2, error: null, nextPassAt: 3 };
    const observation = { state: 'pending', text: 'creating' } as const;
    await volumeObservations.save({ ...record, observation });
    await volumeObservations.save({ ...record, volumeId: 'unknown', observation });
    expect(await engine.loadVolume('v1')).toMatchObject({
      ...{ backendConfigured: false, fleet: null, hosts: [] },
      attachments: [{ id: 'a1' }],
      uses: [{ job: { id: jobs[0]?.id }, runName: 'train' }],
      instances: [{ id: instance.id }],
      observation: { ...record, observation },
    });
    expect(await engine.due('volume-observation', 3, 10)).toEqual(['v1']);
    expect(await engine.alarms()).toContainEqual({ kind: 'volume-observation', id: 'v1', at: 3 });
    expect(await engine.claim('volume-observation', 'v1', 'me', 1_000_000)).toBe(true);

    const facts = { disk_bytes: 500 } as never;
    const host = { connected: true, since: 1, facts, executor: 'docker', error: null } as const;
    await hosts.save({ ...host, id: instance.hostId ?? '', failed: false });
    await hosts.save({ ...host, id: 'local', failed: false });
    await insertVolume(world, {
      ...{ id: 'v2', name: 'on-fleet', backend: 'remote', fleetId: fleet.id, status: 'submitted' },
    });
    expect(await engine.loadVolume('v2')).toMatchObject({
      ...{ backendConfigured: true, fleet: { id: fleet.id } },
      hosts: [{ hostId: instance.hostId, name: 'fleet-0', connected: true, freeBytes: 500 }],
    });
    await insertVolume(world, { id: 'v3', name: 'here', backend: 'local', status: 'submitted' });
    expect((await engine.loadVolume('v3'))?.hosts).toMatchObject([{ hostId: 'local' }]);
  });

  it('gives placement the volumes of projects whose runs mount some', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { instance, uses, run } = await openMounted(world);
    await engine.apply(uses);
    await insertRun(world, { name: 'plain' }, [{}]);
    expect((await waitingWork(world.store, world.projectId))?.volumes).toEqual([]);
    await insertRun(world, { name: 'mounting', spec: MOUNTS }, [{}]);
    const queue = await waitingWork(world.store, world.projectId);
    expect(queue?.volumes).toMatchObject([
      {
        volume: { name: 'data' },
        users: [
          { instanceId: instance.id, run: { id: run.id, name: 'train' } },
          { instanceId: instance.id },
        ],
      },
    ]);
    expect((await engine.loadCapacity(world.projectId)).volumes).toHaveLength(1);
  });

  it('gives placement what the backend of a volume reports of it', async () => {
    const world = await openWorld(tests);
    const { volumeObservations } = world.store;
    await insertVolume(world);
    await insertRun(world, { spec: MOUNTS }, [{}]);
    const report = async (state: 'missing' | 'pending' | 'failed') => {
      const record = { volumeId: 'v1', since: 1, error: null, nextPassAt: 3, checkedAt: 2 };
      const observation = state === 'missing' ? { state } : { state, text: '' };
      await volumeObservations.save({ ...record, observation });
      return (await waitingWork(world.store, world.projectId))?.volumes[0];
    };
    const missing = { since: 1, checkedAt: 2 };
    expect(await report('missing')).toMatchObject({ missing, failed: false });
    expect(await report('failed')).toMatchObject({ missing: null, failed: true });
    expect(await report('pending')).toMatchObject({ missing: null, failed: false });
  });

  it('finds the volumes that hosts of a fleet hold, and whether one can be reached', async () => {
    const world = await openWorld(tests);
    const { engine, hosts } = world.store;
    const { fleet, instance } = await insertSshFleet(world);
    const on = { backend: 'remote', fleetId: fleet.id } as const;
    await insertVolume(world, { ...on, id: 'v1', name: 'b', hostId: instance.hostId });
    await insertVolume(world, { ...on, id: 'v2', name: 'a', hostId: 'h2' });
    await insertVolume(world, { ...on, id: 'v3', name: 'shared' });
    await insertVolume(world, { ...on, id: 'v4', name: 'deleted', deleted: true });
    const reachable = async () =>
      (await engine.loadFleet(fleet.id))?.volumes.map(({ volume, isReachable }) => [
        ...[volume.name, isReachable],
      ]);
    expect(await reachable()).toEqual([
      ['a', false],
      ['b', false],
      ['shared', false],
    ]);
    const host = { connected: true, since: 1, facts: null, executor: null, error: null };
    await hosts.save({ ...host, id: instance.hostId ?? '', failed: false });
    expect(await reachable()).toEqual([
      ['a', false],
      ['b', true],
      ['shared', true],
    ]);
  });

  it('refuses a decision on an instance that has changed since it was read', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { instance } = await insertFleet(world, 'lab');
    await insertVolume(world);
    const { id, version, hostId } = instance;
    const choose = (volumeVersion: number) =>
      engine.apply([
        { type: 'instance.check', id, version },
        { type: 'volume.update', id: 'v1', version: volumeVersion, set: { hostId } },
      ]);
    expect(await choose(0)).toBe('applied');
    await engine.apply([{ type: 'instance.update', id, version, set: { status: 'terminating' } }]);
    expect(await choose(1)).toBe('conflict');
  });

  it('never gives a volume to a host that leaves at the same moment', async () => {
    const world = await openWorld(tests);
    const { engine } = world.store;
    const { fleet, instance } = await insertSshFleet(world);
    const { id, hostId } = instance;
    for (let n = 0; n < 20; n++) {
      const name = `v-${n}`;
      await insertVolume(world, { id: name, name, backend: 'remote', fleetId: fleet.id });
      const known = await engine.loadFleet(fleet.id);
      const version = known?.instances[0]?.version ?? 0;
      const chosen = engine.apply([
        { type: 'fleet.check', id: fleet.id, version: known?.fleet.version ?? 0 },
        { type: 'instance.check', id, version },
        { type: 'volume.update', id: name, version: 0, set: { hostId } },
      ]);
      let left = false;
      const leaves = engine.updateFleet(fleet.id, ({ instances, volumes }) => {
        left = !volumes.some(({ volume }) => volume.hostId === hostId);
        if (!left || !instances[0]) return null;
        const set = { terminationMessage: name };
        return {
          changes: [{ type: 'instance.update', id, version: instances[0].version, set }],
        };
      });
      const [outcome] = await Promise.all([chosen, leaves]);
      expect([outcome, left]).toEqual(left ? ['conflict', true] : ['applied', false]);
      await engine.updateVolume(name, ({ volume }) => ({
        changes: [
          { type: 'volume.update', id: name, version: volume.version, set: { deleted: true } },
        ],
      }));
    }
  });
});
