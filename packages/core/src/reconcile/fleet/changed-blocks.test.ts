import { describe, expect, test } from 'vitest';
import { withDivision } from '../../instances/index.ts';
import type { FleetRecord, InstanceRecord } from '../../model/index.ts';
import { aFleet, aHost, anInstance, anOffer, placedJob, T0 } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const SSH = { user: 'root', hosts: ['10.0.0.9', { hostname: '10.0.0.1', blocks: 2 }] };
const REMOTE = anOffer({ backend: 'remote', region: 'remote' });
const host = (patch: Partial<InstanceRecord> = {}) =>
  anInstance({ backend: 'remote', offer: REMOTE, ...patch });

const LAB = aFleet({ nodes: null, ssh_config: SSH } as never);
const CLOUD = aFleet({ blocks: 2 });

describe.each<[string, FleetRecord, typeof host]>([
  ['a host', LAB, host],
  ['a machine', CLOUD, anInstance],
])('%s whose fleet has been given other blocks', (_what, fleet, an) => {
  test('keeps those that jobs hold, and has the new ones as soon as the last has left, with an event', () => {
    const instance = an({ status: 'busy', busyBlocks: 1 });
    const world = new World({
      ...{ jobs: [placedJob(instance)], instances: [instance], hosts: [aHost()], fleet },
    });
    world.running('job-1').pass();
    world.instancePass();
    expect(world.instance()).toMatchObject({ status: 'busy', totalBlocks: 1, busyBlocks: 1 });
    const decision = world.exit('job-1', 0).pass();
    expect(world.instance()).toMatchObject({ status: 'idle', totalBlocks: 2, busyBlocks: 0 });
    expect(decision?.changes).toContainEqual({
      type: 'event',
      event: expect.objectContaining({
        ...{ action: 'instance.divided', data: { before: 1, blocks: 2 } },
        targets: [expect.objectContaining({ type: 'instance', id: instance.id })],
      }),
    });
  });

  test('has them by its own pass if it is idle, and those who wait for capacity learn it', () => {
    const world = new World({ instances: [an({ status: 'idle' })], hosts: [aHost()], fleet });
    const decision = world.instancePass();
    expect(world.instance().totalBlocks).toBe(2);
    expect(decision?.signals).toContainEqual({ kind: 'capacity', id: `fleet:${fleet.id}` });
    expect(world.instancePass()?.changes).toEqual([]);
  });

  test('has them from its start if they were changed before its agent came', () => {
    const created = an({ status: 'provisioning' });
    const world = new World({ instances: [created], hosts: [aHost()], fleet });
    world.instancePass();
    expect(world.instance()).toMatchObject({ status: 'idle', totalBlocks: 2 });
  });

  test('is written with the fleet, used or not, so that a release that began before is repeated', () => {
    const [free, used] = [an({ status: 'idle' }), an({ status: 'busy', busyBlocks: 1 })];
    const { changes } = withDivision([free, used], fleet.spec, T0);
    expect(changes).toMatchObject([
      { type: 'instance.update', version: free.version, set: { totalBlocks: 2 } },
      { type: 'instance.update', version: used.version, set: { nextPassAt: T0 } },
    ]);
  });
});

test('an instance that is one job’s container, one that does not divide, and one that is not known keep what they have', () => {
  const others = [
    anInstance({ backend: 'kubernetes', status: 'idle' }),
    anInstance({ offer: null, provisioningData: null, status: 'pending' }),
    anInstance({ status: 'terminated' }),
  ];
  expect(withDivision(others, CLOUD.spec, T0).changes).toEqual([]);
  const odd = aFleet({ blocks: 3 });
  expect(withDivision([anInstance({ status: 'idle' })], odd.spec, T0).changes).toEqual([]);
  const left = aFleet({ nodes: null, blocks: 2, ssh_config: { ...SSH, hosts: ['b'] } } as never);
  expect(withDivision([host({ status: 'idle' })], left.spec, T0).changes).toEqual([]);
});
