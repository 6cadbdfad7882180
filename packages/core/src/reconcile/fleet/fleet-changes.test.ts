import { describe, expect, test } from 'vitest';
import type { InstanceRecord } from '../../model/index.ts';
import { aFleet, aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

/** A job that runs on an instance of a fleet that was changed meanwhile. */
function onFleet(
  configuration: Parameters<typeof aFleet>[0],
  others: readonly InstanceRecord[] = [],
) {
  const instance = anInstance({ busyBlocks: 1 });
  const world = new World({
    jobs: [placedJob(instance)],
    instances: [instance, ...others],
    hosts: [aHost()],
    fleet: aFleet(configuration),
  });
  world.running('job-1').pass();
  return world;
}

const busy = (num: number) =>
  anInstance({ id: `inst-${num}`, instanceNum: num, status: 'busy', busyBlocks: 1 });

const larger = { resources: { ...aJobSpec().requirements.resources, cpu: { count: { min: 64 } } } };

describe('a fleet that was changed while an instance was busy', () => {
  test('ends an instance that no longer fits when its job has left', () => {
    const world = onFleet(larger as never);
    world.exit('job-1', 0).pass();
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'fleet_spec_mismatch',
      busyBlocks: 0,
    });
    expect(world.run.status).toBe('done');
  });

  test('ends the instances that exceed its new nodes.max as they become free', () => {
    const world = onFleet({ nodes: { min: 0, max: 2 } }, [busy(2), busy(3)]);
    world.exit('job-1', 0).pass();
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'max_instances_limit',
    });
  });

  test('keeps one that becomes free within its nodes.max', () => {
    const world = onFleet({ nodes: { min: 0, max: 2 } }, [busy(2)]);
    world.exit('job-1', 0).pass();
    expect(world.instance().status).toBe('idle');
  });

  test('is guarded by the release, so that two releases do not end two instances for one surplus', () => {
    const world = onFleet({ nodes: { min: 0, max: 2 } }, [busy(2), busy(3)]);
    world.exit('job-1', 0);
    const { changes } = world.pass();
    expect(changes).toContainEqual({ type: 'fleet.update', id: 'fleet-1', version: 1, set: {} });
  });

  test('ends a shared instance that no longer fits after its last job only', () => {
    const shared = anInstance({ busyBlocks: 2, totalBlocks: 4 });
    const job = (id: string, jobNum: number) =>
      placedJob(shared, { id, jobNum, spec: aJobSpec({ job_num: jobNum, jobs_per_replica: 2 }) });
    const world = new World({
      jobs: [job('job-1', 0), job('job-2', 1)],
      instances: [shared],
      hosts: [aHost()],
      fleet: aFleet(larger as never),
    });
    for (const id of ['job-1', 'job-2']) world.running(id);
    world.pass();
    world.exit('job-1', 0).pass();
    expect(world.instance().status).toBe('busy');
    world.exit('job-2', 0).pass();
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'fleet_spec_mismatch',
    });
  });

  test('ends an instance that comes up after the fleet was shrunk', () => {
    const starting = anInstance({ status: 'provisioning', startedAt: null });
    const world = new World({
      instances: [starting, busy(2)],
      fleet: aFleet({ nodes: { min: 0, max: 1 } }),
    });
    world.connect('inst-1');
    world.instancePass('inst-1');
    expect(world.instance('inst-1')).toMatchObject({
      status: 'terminating',
      terminationReason: 'max_instances_limit',
    });
  });
});
