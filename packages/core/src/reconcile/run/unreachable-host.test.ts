import { describe, expect, test } from 'vitest';
import { aHost, anInstance, placedJob } from '../testing/records.ts';
import { running } from '../testing/runs.ts';
import { World } from '../testing/world.ts';

describe('a host that cannot be reached', () => {
  test('changes nothing for a while and is recorded twice', () => {
    const world = running({});
    world.events.length = 0;
    world.disconnect().later(4).pass();
    expect(world.events).toEqual([]);
    world.later(1).pass();
    expect(world.events).toEqual(['Job became unreachable']);
    expect(world.run.nextPassAt).toBe(world.job('job-1').disconnectedAt! + 120_000_000);
    world.later(85).pass();
    expect(world.job('job-1').status).toBe('running');
    world.connect();
    world.pass();
    expect(world.events).toEqual(['Job became unreachable', 'Job became reachable']);
    expect(world.job('job-1').disconnectedAt).toBeNull();
  });

  test('ends the job after two minutes on a cloud machine', () => {
    const world = running({});
    world.disconnect().later(5).pass();
    world.later(114).pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(1).pass();
    expect(world.job('job-1')).toMatchObject({
      status: 'failed',
      terminationReason: 'instance_unreachable',
    });
    expect(world.announced('job.stop')).toEqual([]);
    expect(world.announced('job.remove')).toHaveLength(1);
  });

  test.each(['remote', 'local', 'slurm'] as const)('ends it after an hour on %s', (backend) => {
    const instance = anInstance({ busyBlocks: 1, backend });
    const world = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost()],
    });
    world.running('job-1').pass();
    world.disconnect().later(5).pass();
    world.later(3594).pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(1).pass();
    expect(world.job('job-1').status).toBe('failed');
  });

  test('a jump of the time is no silence', () => {
    const world = running({});
    world.disconnect().later(5).pass();
    world.jump(3600).pass();
    world.later(114).pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(1).pass();
    expect(world.job('job-1').terminationReason).toBe('instance_unreachable');
  });

  test('is tolerated as long as the setting allows', () => {
    const world = running({});
    world.settings = { ...world.settings, unreachableTolerance: 600 };
    world.disconnect().later(5).pass();
    world.later(500).pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(95).pass();
    expect(world.job('job-1').status).toBe('failed');
  });

  test('an instance that is terminated takes its job with it', () => {
    const world = running({});
    const instance = world.instance();
    world.instances.set(instance.id, { ...instance, status: 'terminating' });
    world.pass();
    expect(world.job('job-1').terminationReason).toBe('instance_unreachable');
    expect(world.instance().busyBlocks).toBe(0);
  });
});
