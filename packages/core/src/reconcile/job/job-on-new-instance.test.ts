import { describe, expect, test } from 'vitest';
import { aJob, anOffer } from '../testing/records.ts';
import { onNewInstance } from '../testing/runs.ts';
import { World } from '../testing/world.ts';

describe('a job that needs a new machine', () => {
  test('is provisioned once the machine exists, and starts when its agent is connected', () => {
    const world = onNewInstance();
    world.pass();
    expect(world.job('job-1').status).toBe('submitted');
    world.created('inst-1');
    world.pass();
    expect(world.job('job-1')).toMatchObject({ status: 'provisioning', provisionedAt: world.now });
    expect(world.job('job-1').runtimeData).toMatchObject({ network_mode: 'bridge', cpu: null });
    expect(world.instance()).toMatchObject({
      status: 'provisioning',
      backend: 'aws',
      totalBlocks: 1,
    });
    expect(world.events).toEqual([
      'Instance status changed PENDING -> PROVISIONING',
      'Job status changed SUBMITTED -> PROVISIONING',
      'Instance provisioned for job. Instance status: PROVISIONING',
      'Run status changed SUBMITTED -> PROVISIONING',
    ]);
    expect(world.announced('job.start')).toEqual([]);
    world.connect();
    world.pass();
    expect(world.instance().status).toBe('busy');
    expect(world.announced('job.start')).toHaveLength(1);
  });

  test('takes the blocks of the offer that was provisioned, not of the first one', () => {
    const world = onNewInstance();
    const planned = world.instance();
    world.instances.set('inst-1', { ...planned, totalBlocks: 8, busyBlocks: 4 });
    world.jobs.set('job-1', { ...world.job('job-1'), claimedBlocks: 4 });
    world.created('inst-1', anOffer({ blocks: 1, total_blocks: 2 }));
    world.pass();
    expect(world.instance()).toMatchObject({ totalBlocks: 2, busyBlocks: 1 });
    expect(world.job('job-1').claimedBlocks).toBe(1);
    expect(world.job('job-1').runtimeData).toMatchObject({ cpu: 2, memory: 8 });
  });

  test('leaves the other blocks of its new machine to runs that wait', () => {
    const world = onNewInstance();
    world.created('inst-1', anOffer({ blocks: 1, total_blocks: 2 }));
    world.pass();
    world.connect();
    world.signals.length = 0;
    world.pass();
    expect(world.instance()).toMatchObject({ status: 'busy', totalBlocks: 2, busyBlocks: 1 });
    expect(world.signals).toContainEqual({ kind: 'capacity', id: 'fleet:fleet-1' });
    expect(world.signals).toContainEqual({ kind: 'fleet', id: 'fleet-1' });
  });

  test('fails without a trace of the placeholder when no offer worked', () => {
    const world = onNewInstance();
    world.settle('instance.create:inst-1:0', { kind: 'no-capacity', message: 'All offers failed' });
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      status: 'failed',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      terminationMessage: 'All offers failed',
    });
    expect(world.removedInstances).toEqual(['inst-1']);
    expect(world.run.status).toBe('failed');
  });

  test('fails if the agent of its machine never answers, with a limit that counts from the machine, not the queue', () => {
    const world = onNewInstance().later(3000);
    world.created('inst-1');
    world.pass();
    world.later(599).pass();
    expect(world.job('job-1').status).toBe('provisioning');
    world.later(1).pass();
    expect(world.job('job-1').terminationReason).toBe('waiting_runner_limit_exceeded');
    expect(world.instance().status).toBe('provisioning');
    world.instancePass();
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'provisioning_timeout',
    });
  });

  test('does not fail while the server can reach no agent, nor before the limit has passed after that', () => {
    const world = onNewInstance();
    world.created('inst-1');
    world.pass();
    world.jump(900);
    world.pass();
    world.instancePass();
    world.later(599).pass();
    world.instancePass();
    expect(world.job('job-1').status).toBe('provisioning');
    expect(world.instance().status).toBe('provisioning');
    world.later(1).pass();
    expect(world.job('job-1').terminationReason).toBe('waiting_runner_limit_exceeded');
  });

  test('fails the same way when the instance noticed first', () => {
    const world = onNewInstance();
    world.created('inst-1');
    world.pass();
    world.later(600).instancePass();
    expect(world.signals).toContainEqual({ kind: 'run', id: 'run-1' });
    world.pass();
    expect(world.job('job-1').terminationReason).toBe('waiting_runner_limit_exceeded');
  });

  test('placement that found nothing ends the run', () => {
    const world = new World({
      jobs: [
        aJob({
          status: 'terminating',
          terminationReason: 'failed_to_start_due_to_no_capacity',
          terminationMessage: 'No matching fleet found',
        }),
      ],
    });
    world.pass();
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
    expect(world.job('job-1').status).toBe('failed');
  });
});
