import { describe, expect, it } from 'vitest';
import { wantsBackendOffers } from './look-ahead.ts';
import {
  aFleet,
  anInstance,
  anOffer,
  aSnapshot,
  CLOUD,
  changesOf,
  eventsOf,
  jobChange,
  NOW,
  placed,
  refusedWith,
  task,
} from './testing.ts';

describe('a job on an existing instance', () => {
  const decision = placed({
    fleets: [CLOUD],
    instances: [anInstance(CLOUD, 0)],
    gangs: [task('a')],
  });

  it('is provisioned at once, with its machine and share', () => {
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({
      status: 'provisioning',
      instanceId: 'cloud-0',
      claimedBlocks: 1,
      provisioningData: { hostname: '10.0.0.0' },
      runtimeData: { network_mode: 'bridge', gpu: null, cpu: null, memory: null },
    });
    const [instance] = changesOf(decision, 'instance.update');
    expect(instance?.set).toMatchObject({ status: 'busy', busyBlocks: 1 });
  });

  it('fixes the fleet of its run in the same transaction and wakes run and instance', () => {
    expect(changesOf(decision, 'run.update')).toEqual([
      { type: 'run.update', id: 'run-a', version: 1, set: { fleetId: 'fleet-cloud' } },
    ]);
    expect(decision.signals).toEqual(
      expect.arrayContaining([
        { kind: 'run', id: 'run-a' },
        { kind: 'instance', id: 'cloud-0' },
      ]),
    );
  });

  it('is recorded in the order of the audit log', () => {
    expect(eventsOf(decision)).toEqual([
      'Job assigned to instance. Instance blocks: 1/1 busy',
      'Job status changed SUBMITTED -> PROVISIONING',
      'Instance status changed IDLE -> BUSY',
    ]);
  });
});

describe('choosing among instances', () => {
  it('takes the cheapest one of all fleets, and asks no backend', () => {
    const other = aFleet('other');
    const snapshot = {
      fleets: [CLOUD, other],
      instances: [
        anInstance(CLOUD, 0, anOffer({ price: 2 })),
        anInstance(other, 0, anOffer({ price: 1 })),
      ],
      gangs: [task('a')],
    };
    expect(wantsBackendOffers(aSnapshot(snapshot), NOW)).toEqual([]);
    expect(jobChange(placed(snapshot), 'job-a-0-0')?.instanceId).toBe('other-0');
  });

  it('prefers an expensive existing instance to a cheap new one', () => {
    const instances = [anInstance(CLOUD, 0, anOffer({ price: 3 }))];
    const decision = placed({ fleets: [CLOUD], instances, gangs: [task('a')] }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('cloud-0');
  });

  it('fills the fullest instance first, so that room for large jobs is kept', () => {
    const big = anOffer({ gpus: 8 });
    const instances = [
      anInstance(CLOUD, 0, big, { totalBlocks: 4 }),
      anInstance(CLOUD, 1, big, { totalBlocks: 4, busyBlocks: 3, status: 'busy' }),
    ];
    const gang = task('a', { resources: { gpu: 2, cpu: '1..', memory: '1GB..' } });
    const decision = placed({ fleets: [CLOUD], instances, gangs: [gang] });
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({
      instanceId: 'cloud-1',
      runtimeData: { network_mode: 'bridge', gpu: 2, cpu: 2, memory: 8 },
    });
  });

  it.each([
    ['unreachable', { unreachable: true }],
    ['unhealthy', { health: 'failure' as const }],
    ['terminating', { status: 'terminating' as const, totalBlocks: 4 }],
    ['still provisioning', { status: 'provisioning' as const, totalBlocks: 4 }],
    ['of unknown division', { totalBlocks: null }],
  ])('never takes one that is %s', (_what, patch) => {
    const instances = [anInstance(CLOUD, 0, anOffer(), patch)];
    const decision = placed({ fleets: [CLOUD], instances, gangs: [task('a')] });
    expect(refusedWith(decision, 'job-a-0-0')).not.toBeNull();
  });

  it('uses only the named instances, even if others are free', () => {
    const gang = task('a', { instances: [{ hostname: '10.0.0.1' }] });
    const free = [anInstance(CLOUD, 0), anInstance(CLOUD, 1)];
    const taken = placed({ fleets: [CLOUD], instances: free, gangs: [gang] });
    expect(jobChange(taken, 'job-a-0-0')?.instanceId).toBe('cloud-1');
    const busy = [free[0]!, anInstance(CLOUD, 1, anOffer(), { status: 'busy', busyBlocks: 1 })];
    const refused = placed({ fleets: [CLOUD], instances: busy, gangs: [gang] }, [anOffer()]);
    expect(refusedWith(refused, 'job-a-0-0')).toMatch(/specified instances/);
  });
});
