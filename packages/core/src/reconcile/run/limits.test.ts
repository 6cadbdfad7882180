import { describe, expect, test } from 'vitest';
import { running } from '../testing/runs.ts';

describe('rules that end a running job', () => {
  test('no clock of the server ends a job at its max_duration', () => {
    const world = running({ max_duration: 60 });
    expect(world.run.nextPassAt).toBeNull();
    world.later(7200).pass();
    expect(world.job('job-1').status).toBe('running');
  });

  test('a job whose agent ends it for another reason is not ended for its max_duration', () => {
    const world = running({ max_duration: 60, stop_duration: 300 });
    world.report('job-1', { stop_stage: 'interrupt', stop_reason: 'terminated_by_server' });
    world.pass();
    world.later(7200).pass();
    expect(world.job('job-1').status).toBe('running');
  });

  test.each(['max_duration_exceeded', undefined])(
    'the server ends a job at its max_duration if the agent could not (%s)',
    (stop_reason) => {
      const world = running({ max_duration: 60, stop_duration: 300 });
      world
        .report('job-1', { stop_stage: 'interrupt', ...(stop_reason && { stop_reason }) })
        .pass();
      expect(world.run.nextPassAt).toBe(world.now + 420_000_000);
      world.later(420).pass();
      expect(world.job('job-1')).toMatchObject({
        terminationReason: 'max_duration_exceeded',
        terminationMessage:
          'The job exceeded the max_duration of 60 seconds and did not stop on its own',
      });
      expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: false });
      world.exit('job-1', 137);
      world.pass();
      expect(world.job('job-1').status).toBe('terminated');
      expect(world.run.status).toBe('failed');
    },
  );

  test('inactivity ends a dev environment, by the limit of the present spec', () => {
    const world = running({});
    const configuration = { type: 'dev-environment', inactivity_duration: 60 };
    const spec = { ...world.run.spec, configuration } as unknown as typeof world.run.spec;
    world.run = { ...world.run, spec };
    const job = world.job('job-1');
    world.pass();
    expect(world.run.nextPassAt).toBe(world.now + 60_000_000);
    world.jobs.set(job.id, { ...job, inactivitySecs: 59 });
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    expect(world.run.nextPassAt).toBe(world.now + 1_000_000);
    world.jobs.set(job.id, { ...world.job('job-1'), inactivitySecs: 60 });
    world.pass();
    expect(world.job('job-1').terminationReason).toBe('inactivity_duration_exceeded');
  });

  test('a GPU that was idle for the whole window ends the job; three minutes of samples do not', () => {
    const policy = { min_gpu_utilization: 10, time_window: 300 };
    const world = running({ utilization_policy: policy });
    const from = world.now;
    const samples = (minutes: number) =>
      Array.from({ length: minutes * 6 + 1 }, (_, i) => ({
        at: from + i * 10_000_000,
        utilization: [90, 0],
      }));
    world.later(180).gpuSamples = { 'job-1': samples(3) };
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(120).gpuSamples = { 'job-1': samples(5) };
    world.pass();
    expect(world.job('job-1').terminationReason).toBe('terminated_due_to_utilization_policy');
  });

  test('a GPU is judged by a window that the server has observed, not by one that its clock has passed over', () => {
    const policy = { min_gpu_utilization: 10, time_window: 300 };
    const world = running({ utilization_policy: policy });
    const from = world.now;
    const sample = (seconds: number) => ({ at: from + seconds * 1_000_000, utilization: [0] });
    world.later(60).pass();
    // The clock is set four minutes ahead, or no server worked for so long.
    world.jump(240);
    world.gpuSamples = { 'job-1': [sample(0), sample(60), sample(300)] };
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    world.later(299).gpuSamples = { 'job-1': [sample(300), sample(599)] };
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    expect(world.run.nextPassAt).toBeLessThanOrEqual(world.now + 60_000_000);
    world.later(1).pass();
    expect(world.job('job-1').terminationReason).toBe('terminated_due_to_utilization_policy');
  });
});
