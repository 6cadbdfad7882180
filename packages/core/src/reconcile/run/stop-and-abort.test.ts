import { describe, expect, test } from 'vitest';
import { aJob } from '../testing/records.ts';
import { onNewInstance, placed, running } from '../testing/runs.ts';
import { World } from '../testing/world.ts';

describe('stop and abort', () => {
  test('a job that printed more than its quota is asked to end, with the reason', () => {
    const world = running();
    world.overQuota = { 'job-1': 'The job printed more than 10 bytes within an hour' };
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      status: 'terminating',
      terminationReason: 'log_quota_exceeded',
      terminationMessage: 'The job printed more than 10 bytes within an hour',
      stopGraceful: true,
    });
  });

  test('a running process is asked to end, and the run ends with it', () => {
    const world = running();
    world.stop();
    world.pass();
    expect(world.announced('job.stop').map((i) => i.payload)).toEqual([
      { kind: 'job.stop', grace: true, reason: 'terminated_by_user', message: null },
    ]);
    expect(world.run.nextPassAt).toBe(world.now + 310_000_000);
    world.later(3).exit('job-1', 130);
    world.pass();
    expect(world.run.status).toBe('terminated');
    expect(world.job('job-1')).toMatchObject({
      status: 'terminated',
      terminationReason: 'terminated_by_user',
      exitStatus: null,
    });
    expect(world.events).toEqual([
      'Job status changed RUNNING -> TERMINATING. Termination reason: TERMINATED_BY_USER',
      'Graceful job stop requested',
      'Job unassigned from instance. Instance blocks: 0/1 busy',
      'Instance status changed BUSY -> IDLE',
      'Job status changed TERMINATING -> TERMINATED',
      'Run status changed TERMINATING -> TERMINATED',
    ]);
  });

  test('a stubborn process is killed at the end of stop_duration', () => {
    const world = running({ stop_duration: 20 });
    world.stop();
    world.pass();
    world.later(29).pass();
    expect(world.announced('job.stop')).toHaveLength(1);
    world.later(1).pass();
    expect(world.announced('job.stop').at(-1)?.payload).toMatchObject({ grace: false });
    world.later(29).pass();
    expect(world.run.status).toBe('terminating');
    world.later(1).pass();
    expect(world.run.status).toBe('terminated');
    expect(world.announced('job.remove')).toHaveLength(1);
  });

  test('with stop_duration off only the process itself, an abort or the loss of its host ends it', () => {
    const world = running({ stop_duration: null });
    world.stop();
    world.pass();
    expect(world.run.nextPassAt).toBeNull();
    world.later(86_400).pass();
    expect(world.run.status).toBe('terminating');
    world.disconnect().later(5).pass();
    world.later(120).pass();
    expect(world.run.status).toBe('terminated');
  });

  test('an abort kills at once', () => {
    const world = running();
    world.stop(true);
    world.pass();
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({
      grace: false,
      reason: 'aborted_by_user',
    });
    expect(world.events).not.toContain('Graceful job stop requested');
    world.exit('job-1', 137);
    world.pass();
    expect(world.job('job-1').status).toBe('aborted');
    expect(world.run.status).toBe('terminated');
  });

  test('an abort overtakes a stop that is being graceful', () => {
    const world = running();
    world.stop();
    world.pass();
    world.later(2).stop(true);
    world.pass();
    expect(world.announced('job.stop').map((i) => i.payload)).toMatchObject([
      { grace: true },
      { grace: false, reason: 'aborted_by_user' },
    ]);
    world.later(30).pass();
    expect(world.job('job-1')).toMatchObject({
      status: 'aborted',
      terminationReason: 'aborted_by_user',
    });
    expect(world.run).toMatchObject({ status: 'terminated', terminationReason: 'aborted_by_user' });
  });

  test('a queued job ends at once', () => {
    const world = new World({ jobs: [aJob()] });
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
    expect(world.intents.size).toBe(0);
  });

  test('a run without jobs ends at once', () => {
    const world = new World({ run: { status: 'pending' } });
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
  });

  test('a job whose start was never ordered ends at once', () => {
    const world = placed();
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
    expect(world.instance()).toMatchObject({ status: 'idle', busyBlocks: 0 });
    expect(world.intents.size).toBe(0);
  });

  test('an announced start is followed by a stop, never leaked', () => {
    const world = placed();
    world.pass();
    world.stop();
    world.pass();
    expect(world.cancelled).toContain('job.start:job-1:0');
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: false });
    expect(world.run.status).toBe('terminating');
    world.settle('job.stop:job-1:0', { kind: 'ok' });
    world.pass();
    expect(world.run.status).toBe('terminated');
    expect(world.announced('job.remove')).toHaveLength(1);
  });

  test('a start that a worker carries out although it was cancelled is undone', () => {
    const world = placed();
    world.pass();
    world.stop();
    world.pass();
    world.settle('job.stop:job-1:0', { kind: 'ok' });
    world.pass();
    expect(world.run.status).toBe('terminated');
    world.settle('job.remove:job-1:0', { kind: 'ok' });
    world.later(1).running('job-1').pass();
    expect(world.announced('job.remove').map((i) => i.key)).toEqual(['job.remove:job-1:1']);
  });

  test('a machine that is being created is left to its instance, and the run does not wait for it', () => {
    const world = onNewInstance();
    world.pass();
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
    expect(world.announced('instance.create')).toHaveLength(1);
    expect(world.cancelled.size).toBe(0);
    expect(world.signals).toContainEqual({ kind: 'instance', id: 'inst-1' });
    expect(world.instance().busyBlocks).toBe(0);
  });

  test('a stop that races with an exit is a stop', () => {
    const world = running();
    world.exit('job-1', 0);
    world.stop();
    world.pass();
    expect(world.job('job-1').status).toBe('terminated');
    expect(world.run.status).toBe('terminated');
  });
});
