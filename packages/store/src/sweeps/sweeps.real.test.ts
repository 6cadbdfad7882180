import { randomUUID } from 'node:crypto';
import type { InstanceRecord, OrphanRecord, SweepRecord } from '@dstack/core';
import { expect, it } from 'vitest';
import { fleetRecord, instanceRecord, volumeRecord } from '../testing/records.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';

forEachStore((tests) => {
  const sweep = (projectId: string, part: Partial<SweepRecord> = {}): SweepRecord => ({
    ...{ projectId, backend: 'aws', sweptAt: 1, nextAt: 2, failures: 0, error: null },
    ...{ nonces: ['n1'], hindrance: null, ...part },
  });
  const orphan = (projectId: string, part: Partial<OrphanRecord> = {}): OrphanRecord => ({
    ...{ id: randomUUID(), projectId, backend: 'aws', kind: 'instance', region: null, key: null },
    handle: { id: 'm-1', data: null },
    owner: { project: 'main', fleet: 'f', instance: 'f-0' },
    ...{ firstSeenAt: 1, lastSeenAt: 1, reportedAt: null, endRequestedAt: null, error: null },
    ...part,
  });

  it('keeps sweeps by backend, and their orphans until they are settled', async () => {
    const { store, projectId } = await openWorld(tests);
    const [first, second] = [orphan(projectId), orphan(projectId, { firstSeenAt: 2 })];
    await store.sweeps.save({ sweep: sweep(projectId), orphans: [first, second] });
    const again = sweep(projectId, { sweptAt: 3, nextAt: 4, hindrance: 'only reported' });
    const reported = { ...second, reportedAt: 3, lastSeenAt: 3 };
    await store.sweeps.save({ sweep: again, orphans: [reported], settled: [first.id] });
    expect(await store.sweeps.list()).toEqual([again]);
    expect(await store.sweeps.orphans()).toEqual([reported]);
  });

  it('forgets backends that are not configured any more', async () => {
    const { store, projectId } = await openWorld(tests);
    for (const backend of ['aws', 'gcp'] as const) {
      const orphans = [orphan(projectId, { backend })];
      await store.sweeps.save({ sweep: sweep(projectId, { backend }), orphans });
    }
    await store.sweeps.forget({ projectId, backend: 'aws' });
    expect((await store.sweeps.list()).map(({ backend }) => backend)).toEqual(['gcp']);
    expect((await store.sweeps.orphans()).map(({ backend }) => backend)).toEqual(['gcp']);
  });

  it('lists the resources of instances at a backend until they are terminated', async () => {
    const world = await openWorld(tests);
    const { projectId } = world;
    const fleet = fleetRecord({ projectId });
    const made = (id: string, part: Partial<InstanceRecord>) =>
      instanceRecord({
        ...{ projectId, fleetId: fleet.id, backend: 'aws', name: id },
        ...{ handle: { id, data: null }, ...part },
      });
    const instances = [
      made('m-1', { instanceNum: 0 }),
      made('m-2', { instanceNum: 1, status: 'terminating' }),
      made('m-3', { instanceNum: 2, status: 'terminated' }),
      made('m-4', { instanceNum: 3, backend: 'gcp' }),
    ];
    await world.store.engine.createFleet({
      ...{ projectId, name: { exact: fleet.name } },
      build: () => ({ fleet, instances }),
    });
    const { instance } = await world.store.sweeps.knownIds('aws');
    expect([...instance].sort()).toEqual(['m-1', 'm-2']);
  });

  it('lists the volumes that a backend has created, before they are ready', async () => {
    const world = await openWorld(tests);
    const { projectId, userId } = world;
    for (const [id, handle] of [
      ['v1', 'vol-1'],
      ['v2', null],
    ] as const) {
      const volume = volumeRecord(
        { projectId, userId },
        { id, name: id, handle: handle && { id: handle, region: 'eu', data: null } },
      );
      await world.store.volumes.insert(projectId, { exact: id }, () => ({ volume, events: [] }));
    }
    expect([...(await world.store.sweeps.knownIds('aws')).volume]).toEqual(['vol-1']);
    expect((await world.store.sweeps.knownIds('gcp')).volume.size).toBe(0);
  });

  it('lets one of several servers sweep at a time', async () => {
    const { store } = await openWorld(tests);
    const claim = (owner: string) => store.engine.claim('sweep', 'sweep', owner, 9_000_000);
    expect(await claim('a')).toBe(true);
    expect(await claim('b')).toBe(false);
    await store.engine.release('sweep', 'sweep', 'a');
    expect(await claim('b')).toBe(true);
  });
});
