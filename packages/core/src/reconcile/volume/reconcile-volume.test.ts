import { describe, expect, test } from 'vitest';
import { projectCapacity } from '../../instances/index.ts';
import { BACKEND_MISSING, type VolumeHost, type VolumeRecord } from '../../model/index.ts';
import { SECOND } from '../../model/values.ts';
import { volumeRecord } from '../../testing/records.ts';
import { aFleet, anInstance, T0 } from '../testing/records.ts';
import { aHostVolume, aVolumeHost, READY, VolumeWorld } from '../testing/volumes.ts';

const HOUR = 3600;
const HANDLE = { id: 'vol-1', region: 'us-east-1', data: null };
const submitted = () => volumeRecord({ status: 'submitted', handle: null });
const withCleanup = (seconds: number | null, patch: Partial<VolumeRecord> = {}) =>
  volumeRecord({
    configuration: { ...volumeRecord().configuration, auto_cleanup_duration: seconds },
    ...patch,
  });

describe('a new volume', () => {
  test('is ordered, created and active', () => {
    const world = new VolumeWorld({ volume: submitted() });
    world.pass();
    expect(world.announced()).toMatchObject([
      { key: 'volume.create:volume:0', payload: { path: null, begun: false } },
    ]);
    world.settle('volume.create', { kind: 'volume.created', handle: HANDLE }).pass();
    expect(world.volume).toMatchObject({ status: 'provisioning', handle: HANDLE });
    expect(world.signals).toContainEqual({ kind: 'volume-observation', id: 'volume' });
    world.observe({ state: 'pending', text: 'creating' }).pass();
    world.observe({ ...READY, availabilityZone: 'us-east-1a' }).pass();
    expect(world.volume).toMatchObject({
      ...{ status: 'active', nextPassAt: null },
      provisioningData: { volume_id: 'vol-1', size_gb: 100, availability_zone: 'us-east-1a' },
    });
    expect(world.events).toEqual([
      'Volume status changed SUBMITTED -> PROVISIONING',
      'Volume status changed PROVISIONING -> ACTIVE',
    ]);
  });

  test('is found where the user has created it', () => {
    const configuration = { ...volumeRecord().configuration, volume_id: 'vol-9', size: null };
    const volume = { ...submitted(), configuration, external: true } as VolumeRecord;
    const world = new VolumeWorld({ volume });
    world.pass();
    expect(world.announced()).toMatchObject([
      { kind: 'volume.register', payload: { externalId: 'vol-9' } },
    ]);
  });

  test('fails with the reason of its backend', () => {
    const world = new VolumeWorld({ volume: submitted() });
    world.pass();
    world.refuse('volume.create', 'quota exceeded').pass();
    expect(world.volume).toMatchObject({ status: 'failed', statusMessage: 'quota exceeded' });
    expect(world.events).toEqual(['Volume status changed SUBMITTED -> FAILED (quota exceeded)']);
  });

  test('fails where its backend is not configured', () => {
    const world = new VolumeWorld({ volume: submitted(), backendConfigured: false });
    world.pass();
    expect(world.volume.statusMessage).toBe('Backend aws is not configured in project main');
  });

  test('fails at the deadline of each passing status', () => {
    const ordered = new VolumeWorld({ volume: submitted() });
    ordered.pass();
    expect(ordered.volume.nextPassAt).toBe(T0 + 600 * SECOND);
    ordered.later(600).pass();
    expect(ordered.volume.status).toBe('failed');
    const made = new VolumeWorld({ volume: submitted() });
    made.pass();
    made.settle('volume.create', { kind: 'volume.created', handle: HANDLE }).pass();
    made.observe({ state: 'pending', text: 'formatting' });
    made.later(1200).pass();
    expect(made.volume.statusMessage).toBe('It was not ready within 20 minutes (formatting)');
  });

  test('that appears after its failure is deleted with its row', () => {
    const world = new VolumeWorld({ volume: submitted() });
    world.pass();
    world.later(600).pass();
    world.settle('volume.create', { kind: 'volume.created', handle: HANDLE }).pass();
    expect(world.volume).toMatchObject({ status: 'failed', handle: HANDLE });
    world.markForDeletion().pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.delete' }]);
  });
});

describe('a volume on hosts', () => {
  const fleet = aFleet({ ssh_config: { hosts: [] } as never });
  const instances = [
    anInstance({ id: 'gpus-0', name: 'gpus-0' }),
    anInstance({ id: 'gpus-1', name: 'gpus-1' }),
  ];
  const hosts = [aVolumeHost('gpus-0', { freeBytes: 5 }), aVolumeHost('gpus-1', { freeBytes: 9 })];

  test('goes to the connected host with the most space, and stays there', () => {
    const world = new VolumeWorld({ volume: aHostVolume(), fleet, hosts, instances });
    world.pass();
    expect(world.volume.hostId).toBe('gpus-1');
    world.settle('volume.create', { kind: 'volume.created', handle: HANDLE }).pass();
    world.observe({ ...READY, shared: true, price: 0 }).pass();
    expect(world.volume).toMatchObject({
      ...{ status: 'active', shared: true },
      provisioningData: { backend: 'kubernetes', availability_zone: 'gpus-1', price: 0 },
    });
  });

  test('goes to the host that is named', () => {
    const world = new VolumeWorld({ volume: aHostVolume({}, 'gpus-0'), fleet, hosts, instances });
    world.pass();
    expect(world.volume.hostId).toBe('gpus-0');
    const unknown = new VolumeWorld({ volume: aHostVolume({}, 'gpus-7'), fleet, hosts });
    unknown.pass();
    expect(unknown.volume.statusMessage).toBe('Its fleet has no instance gpus-7');
  });

  test('waits for a host to connect, and fails if none does', () => {
    const lost = hosts.map((host) => ({ ...host, connected: false, error: 'refused' }));
    const world = new VolumeWorld({ volume: aHostVolume(), fleet, hosts: lost, instances });
    world.pass();
    expect(world.volume).toMatchObject({ status: 'submitted', nextPassAt: T0 + 5 * SECOND });
    world.later(600).pass();
    expect(world.volume.statusMessage).toBe(
      'None of its 2 hosts can hold it yet: gpus-0 is not connected (refused)',
    );
  });

  test.each(['pending', 'terminating', 'terminated'] as const)(
    'does not go to a host that is %s, which may leave with it',
    (status) => {
      const [full, roomy] = hosts as [VolumeHost, VolumeHost];
      const instance = anInstance({ id: 'gpus-1', status });
      const unfit = [full, { ...roomy, instance }];
      const world = new VolumeWorld({ volume: aHostVolume(), fleet, hosts: unfit, instances });
      world.pass();
      expect(world.volume.hostId).toBe('gpus-0');
      const alone = new VolumeWorld({
        volume: aHostVolume(),
        fleet,
        hosts: [{ ...roomy, instance }],
      });
      alone.pass();
      expect(alone.volume).toMatchObject({ hostId: null, nextPassAt: T0 + 5 * SECOND });
      expect(alone.announced()).toEqual([]);
    },
  );

  test('waits for a host that is being added, and reports that', () => {
    const instance = anInstance({ id: 'gpus-0', status: 'pending' });
    const one = [aVolumeHost('gpus-0', { instance })];
    const world = new VolumeWorld({ volume: aHostVolume(), fleet, hosts: one });
    world.pass();
    one[0] = aVolumeHost('gpus-0');
    world.later(5).pass();
    expect(world.volume.hostId).toBe('gpus-0');
    const never = new VolumeWorld({
      ...{ volume: aHostVolume(), fleet },
      hosts: [aVolumeHost('gpus-0', { instance })],
    });
    never.later(600).pass();
    expect(never.volume.statusMessage).toBe('Host gpus-0 is still being added');
  });

  test('relies on its fleet and its host until it is written where it goes', () => {
    const version = 7;
    const [host] = [aVolumeHost('gpus-0', { instance: anInstance({ id: 'gpus-0', version }) })];
    const known = { ...fleet, version: 3 };
    const world = new VolumeWorld({
      volume: aHostVolume(),
      fleet: known,
      hosts: [host],
      instances,
    });
    world.pass();
    expect(world.checks).toEqual([
      { type: 'instance.check', id: 'gpus-0', version },
      { type: 'fleet.check', id: 'fleet-1', version: 3 },
    ]);
  });

  test('fails where its fleet is being deleted', () => {
    const path = { shared_volumes_path: '/mnt/nfs' };
    for (const configuration of [{}, path]) {
      const ending = aFleet(
        { ssh_config: { hosts: [] } as never, ...configuration },
        { status: 'terminating' },
      );
      const world = new VolumeWorld({ volume: aHostVolume(), fleet: ending, hosts, instances });
      world.pass();
      expect(world.volume.statusMessage).toBe('Its fleet is being deleted');
      expect(world.announced()).toEqual([]);
    }
  });

  test('belongs to no host where all of them share a file system', () => {
    const shared = aFleet({ ssh_config: { hosts: [] } as never, shared_volumes_path: '/mnt/nfs' });
    const world = new VolumeWorld({ volume: aHostVolume(), fleet: shared, hosts, instances });
    world.pass();
    expect(world.volume.hostId).toBeNull();
    expect(world.announced()).toMatchObject([{ payload: { path: '/mnt/nfs' } }]);
  });

  test('reports that it holds more than its size, once', () => {
    const world = new VolumeWorld({ volume: volumeRecord({ shared: true }) });
    world.observe({ ...READY, usedGib: 100 }).pass();
    expect(world.volume.statusMessage).toBeNull();
    world.observe({ ...READY, usedGib: 123.45 }).pass();
    world.observe({ ...READY, usedGib: 130 }).pass();
    expect(world.volume.statusMessage).toBe('It holds 130GB, more than its size of 100GB');
    // Its agent has started anew and has not measured it again.
    world.observe({ ...READY, usedGib: null }).pass();
    expect(world.volume.statusMessage).toBe('It holds 130GB, more than its size of 100GB');
    world.observe({ ...READY, usedGib: 10 }).pass();
    expect(world.volume).toMatchObject({ statusMessage: null, status: 'active' });
    expect(world.events).toEqual([
      'Volume has a problem: It holds 123.5GB, more than its size of 100GB',
      'Volume has no problem any more',
    ]);
  });

  test('that is missing in its cluster was deleted there, and is reported at once', () => {
    const world = new VolumeWorld({ volume: volumeRecord({ backend: 'kubernetes' }) });
    world.observe({ state: 'missing' }).pass();
    expect(world.events).toEqual(['Volume has a problem: Its backend does not have it any more']);
    expect(world.signals).toContainEqual(projectCapacity(world.volume.projectId));
  });

  test('that its backend reports as failed has the error, until its backend takes it back', () => {
    const world = new VolumeWorld({ volume: volumeRecord({ backend: 'kubernetes' }) });
    const text = 'claim models of namespace jobs belongs to dstack';
    world.observe({ state: 'failed', text }).pass();
    expect(world.volume).toMatchObject({ status: 'active', statusMessage: text });
    expect(world.signals).toContainEqual(projectCapacity(world.volume.projectId));
    world.observe({ ...READY, usedGib: null }).pass();
    expect(world.volume.statusMessage).toBeNull();
    expect(world.events).toEqual([
      `Volume has a problem: ${text}`,
      'Volume has no problem any more',
    ]);
  });

  test('that is missing on its host is reported and kept', () => {
    const world = new VolumeWorld();
    world.observe({ state: 'missing' }).pass();
    expect(world.volume.nextPassAt).toBe(T0 + 60 * SECOND);
    world.later(60).pass();
    expect(world.volume).toMatchObject({ status: 'active', toBeDeleted: false });
    expect(world.events).toEqual(['Volume has a problem: Its backend does not have it any more']);
    expect(world.signals).toContainEqual(projectCapacity(world.volume.projectId));
    world.observe({ ...READY, usedGib: null }).pass();
    expect(world.volume.statusMessage).toBeNull();
  });
});

describe('an unused volume', () => {
  test('is deleted at the end of its time', () => {
    const world = new VolumeWorld({ volume: withCleanup(HOUR) });
    world.pass();
    expect(world.volume).toMatchObject({ nextPassAt: T0 + HOUR * SECOND, toBeDeleted: false });
    world.later(HOUR).pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.delete' }]);
    world.settle('volume.delete', { kind: 'ok' }).pass();
    expect(world.volume).toMatchObject({ deleted: true, status: 'active', nextPassAt: null });
    expect(world.events).toEqual([
      'Volume marked for deletion due to auto-cleanup',
      'Volume deleted',
    ]);
  });

  test('counts its time from its last job', () => {
    const world = new VolumeWorld({
      volume: withCleanup(HOUR, { lastJobProcessedAt: T0 + HOUR * SECOND }),
    });
    world.later(HOUR + 1).pass();
    expect(world.volume.nextPassAt).toBe(T0 + 2 * HOUR * SECOND);
  });

  test.each([
    ['a job uses it', HOUR, {}, true],
    ['it is external', HOUR, { external: true }, false],
    ['it is never cleaned up', -1, {}, false],
    ['it has no time for that', null, {}, false],
    ['it has failed', HOUR, { status: 'failed' }, false],
  ] as const)('stays while %s', (_why, cleanup, patch, used) => {
    const world = new VolumeWorld({ volume: withCleanup(cleanup, patch) });
    if (used) world.use();
    world.later(9 * HOUR).pass();
    expect(world.volume.toBeDeleted).toBe(false);
  });
});

describe('a deletion', () => {
  test('waits for jobs and attachments', () => {
    const world = new VolumeWorld().use();
    world.pass();
    world.settle('volume.attach', { kind: 'volume.attached', device: null }).pass();
    world.markForDeletion().pass();
    expect(world.announced()).toEqual([]);
    world.release().pass();
    world.leave().settle('volume.detach', { kind: 'ok' }).pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.delete' }]);
  });

  test('only forgets a volume of the user', () => {
    const world = new VolumeWorld({ volume: volumeRecord({ external: true }) }).markForDeletion();
    world.pass();
    expect(world.volume.deleted).toBe(true);
    expect(world.intents.size).toBe(0);
  });

  test('needs no backend where nothing was ordered', () => {
    const world = new VolumeWorld({ volume: submitted() }).markForDeletion();
    world.pass();
    expect(world.volume).toMatchObject({ deleted: true, status: 'submitted' });
    expect(world.events).toEqual(['Volume deleted']);
  });

  test('waits for an order under way, since its result costs money', () => {
    const world = new VolumeWorld({ volume: submitted() });
    world.pass();
    world.markForDeletion().pass();
    expect(world.volume.deleted).toBe(false);
    expect(world.signals).toContainEqual({ kind: 'intent', id: 'volume.create:volume:0' });
    world.settle('volume.create', { kind: 'volume.created', handle: HANDLE }).pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.delete' }]);
  });

  test('is ordered again until it succeeds', () => {
    const world = new VolumeWorld().markForDeletion();
    world.pass();
    world.refuse('volume.delete', 'HTTP 500').pass();
    expect(world.volume.statusMessage).toBe('Deletion failed: HTTP 500');
    world.now = world.volume.nextPassAt ?? 0;
    world.pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.delete', attempt: 1 }]);
  });

  test('names what is left where the backend was removed', () => {
    const world = new VolumeWorld().markForDeletion();
    world.pass();
    world.refuse('volume.delete', 'not configured', BACKEND_MISSING).pass();
    expect(world.volume.deleted).toBe(false);
    world.later(900).pass();
    expect(world.volume.deleted).toBe(true);
    expect(world.alarms).toEqual([expect.stringContaining('vol-1 in aws')]);
  });

  test('does not wait for a host that has left the fleet', () => {
    const volume = aHostVolume({ status: 'active', handle: HANDLE, hostId: 'gpus-0' });
    const world = new VolumeWorld({ volume, fleet: aFleet(), instances: [] }).markForDeletion();
    world.pass();
    expect(world.volume.deleted).toBe(true);
    expect(world.alarms).toHaveLength(1);
  });

  test('names what a host may have made that left the fleet before it answered', () => {
    for (const begun of [true, false]) {
      const volume = aHostVolume({ hostId: 'gpus-0' });
      const world = new VolumeWorld({ volume, fleet: aFleet(), instances: [] });
      const payload = { kind: 'volume.create', path: null, begun } as const;
      world.pass();
      for (const intent of world.announced()) {
        world.intents.set(intent.key, { ...intent, kind: 'volume.create', payload });
      }
      world.markForDeletion().pass();
      expect(world.volume.deleted).toBe(true);
      const text = expect.stringContaining('(volume in remote) may still exist');
      expect(world.alarms).toEqual(begun ? [text] : []);
    }
  });
});
