import { describe, expect, test } from 'vitest';
import type { JobRecord, JobTerminationReason } from '../../model/index.ts';
import { jobStatusMessage, runStatusMessage } from '../../status/index.ts';
import { aHost, aJob, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { running } from '../testing/runs.ts';
import { World } from '../testing/world.ts';
import { nextResumeCount, retryDelay } from './retry.ts';

type Event = 'no-capacity' | 'interruption' | 'error';
const retry = (duration: number, ...on_events: Event[]) => ({
  on_events:
    on_events.length > 0 ? on_events : (['no-capacity', 'interruption', 'error'] as Event[]),
  duration,
});

/** Placement finds no room for the newest submission. */
function noCapacity(world: World, refusal: JobRecord['refusal'] = { kind: 'no-fleets' }) {
  const job = world.latest();
  world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
  world.pass();
}

function spot(data: ReturnType<World['job']>['provisioningData']) {
  if (data === null) return null;
  const type = data.instance_type;
  return { ...data, instance_type: { ...type, resources: { ...type.resources, spot: true } } };
}

describe('retry of a single job', () => {
  test('a failure goes back to pending, then to a new submission of the same run', () => {
    const world = running({ retry: retry(3600) });
    world.later(60).exit('job-1', 1);
    world.pass();
    expect(world.run).toMatchObject({ status: 'pending', resubmissionAttempt: 1, fleetId: null });
    const wait = (world.run.nextPassAt ?? 0) - world.now;
    expect(wait).toBeGreaterThanOrEqual(800_000);
    expect(wait).toBeLessThanOrEqual(1_200_000);
    world.later(0.7).pass();
    expect(world.jobs.size).toBe(1);
    world.later(0.6).pass();
    expect(world.run.status).toBe('submitted');
    expect(world.latest()).toMatchObject({ submissionNum: 1, status: 'submitted' });
    expect(world.events.slice(-2)).toEqual([
      'Job created on retry. Status: SUBMITTED',
      'Run status changed PENDING -> SUBMITTED',
    ]);
    expect(world.signals).toContainEqual({ kind: 'placement', id: 'project-1' });
  });

  test('an event that retry does not name ends the run at once', () => {
    const world = running({ retry: retry(3600, 'interruption') });
    world.exit('job-1', 1);
    world.pass();
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
  });

  test('retry does not cover time limits', () => {
    const world = running({ retry: retry(3600) });
    world.exit('job-1', null, 'max_duration_exceeded');
    world.pass();
    expect(world.job('job-1').status).toBe('terminated');
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
  });

  describe('without `retry`, with a host whose connection was just lost', () => {
    const refused = (verdict: 'full' | 'never') => {
      const world = new World({ jobs: [aJob({ spec: aJobSpec({ retry: null }) })] });
      const lost = {
        rule: 'reconnecting',
        asked: null,
        has: null,
        count: 1,
        property: null,
      } as const;
      const fleet = { ...{ fleet: 'a', verdict, growth: null }, pool: [lost] };
      noCapacity(world, { kind: 'no-place', nodes: 1, selected: false, fleets: [fleet] });
      return world;
    };

    test('waits for it for a minute', () => {
      const world = refused('full');
      expect(world.latest()).toMatchObject({ status: 'submitted', waitingSince: world.now });
      expect(world.run.nextPassAt).toBe(world.now + 60_000_001);
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
      expect(world.latest().terminationReason).toBe('failed_to_start_due_to_no_capacity');
    });

    test('does not wait if it would not fit', () => {
      const { terminationReason } = refused('never').latest();
      expect(terminationReason).toBe('failed_to_start_due_to_no_capacity');
    });
  });

  describe('without `retry`, refused because the machine of one server is full', () => {
    const refused = (count: number | null) => {
      const world = new World({ jobs: [aJob({ spec: aJobSpec({ retry: null }) })] });
      const growth = { rule: 'local_limit', asked: null, has: '4', count, property: null } as const;
      const fleet = { ...{ fleet: 'a', verdict: 'full' as const, pool: [] }, growth };
      noCapacity(world, { kind: 'no-place', nodes: 1, selected: false, fleets: [fleet] });
      return world;
    };

    test('waits for the passes of other servers', () => {
      const world = refused(1);
      expect(world.latest()).toMatchObject({ status: 'submitted', waitingSince: world.now });
      expect(world.run.nextPassAt).toBe(world.now + 15_000_001);
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
      expect(world.latest().terminationReason).toBe('failed_to_start_due_to_no_capacity');
    });

    test('does not wait if there is no other server', () => {
      const { terminationReason } = refused(null).latest();
      expect(terminationReason).toBe('failed_to_start_due_to_no_capacity');
    });
  });

  test('without `retry` waits for the first instance of a cluster, and for nothing else', () => {
    const world = new World({ jobs: [aJob({ spec: aJobSpec({ retry: null }) })] });
    const growth = { rule: 'cluster_starting', asked: null, has: null } as const;
    const fleet = {
      ...{ fleet: 'c', verdict: 'full' as const, pool: [] },
      growth: { ...growth, count: null, property: null },
    };
    noCapacity(world, { kind: 'no-place', nodes: 1, selected: false, fleets: [fleet] });
    expect(world.latest()).toMatchObject({ status: 'submitted', waitingSince: world.now });
    noCapacity(world);
    expect(world.latest().terminationReason).toBe('failed_to_start_due_to_no_capacity');
  });

  test('waits for capacity without a timer of its own, until the budget is spent', () => {
    const world = new World({ jobs: [aJob({ spec: aJobSpec({ retry: retry(60) }) })] });
    noCapacity(world);
    expect(world.run.status).toBe('submitted');
    expect(runStatusMessage(world.run, [...world.jobs.values()])).toBe('retrying');
    expect(world.latest()).toMatchObject({ submissionNum: 0, waitingSince: world.now });
    expect(world.events).toEqual([
      "Job waits for capacity: No matching fleet found: the project has none. Create one with 'dstack apply'",
    ]);
    expect(world.run.nextPassAt).toBe(world.run.submittedAt + 60_000_001);
    world.later(30).pass();
    expect(world.events).toHaveLength(1);
    world.now = world.run.nextPassAt ?? 0;
    world.pass();
    expect(world.run).toMatchObject({
      status: 'failed',
      terminationReason: 'retry_limit_exceeded',
    });
    expect(world.latest().terminationReason).toBe('failed_to_start_due_to_no_capacity');
  });

  test('lack of capacity ends a run without retry, with the reason', () => {
    const world = new World({ jobs: [aJob()] });
    noCapacity(world);
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
    expect(world.events[1]).toContain(
      'FAILED_TO_START_DUE_TO_NO_CAPACITY (No matching fleet found: the project has none',
    );
  });

  test('a failed creation of a machine is retried after a growing delay', () => {
    const world = new World({ jobs: [aJob({ spec: aJobSpec({ retry: retry(3600) }) })] });
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const job = world.latest();
      const ended = { status: 'terminating', terminationMessage: 'All offers failed' } as const;
      const terminationReason: JobTerminationReason = 'failed_to_start_due_to_no_capacity';
      world.jobs.set(job.id, { ...job, ...ended, terminationReason, version: job.version + 1 });
      world.pass();
      waits.push(Math.round(((world.run.nextPassAt ?? 0) - world.now) / 1_000_000));
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
    }
    expect(waits).toEqual([1, 2, 4, 8].map((n) => expect.closeTo(n, -0.8)));
    expect(world.jobs.size).toBe(2);
  });

  test('delays of replicas that failed together are spread', () => {
    const delays = Array.from({ length: 100 }, (_, i) => retryDelay(5, `job ${i}`) / 1_000_000);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(12.8);
    expect(Math.max(...delays)).toBeLessThanOrEqual(19.2);
    expect(new Set(delays).size).toBe(100);
  });

  test('interruption-only retry does not cover the lack of capacity that follows', () => {
    const world = running({ retry: retry(3600, 'interruption') });
    const job = world.job('job-1');
    world.jobs.set(job.id, { ...job, provisioningData: spot(job.provisioningData) });
    world.disconnect().later(5).pass();
    world.later(120).pass();
    expect(world.job('job-1').terminationReason).toBe('interrupted_by_no_capacity');
    expect(jobStatusMessage(world.job('job-1'))).toBe('interrupted');
    world.later(2).pass();
    expect(world.run.status).toBe('submitted');
    noCapacity(world);
    expect(world.run.status).toBe('failed');
  });

  test('a job whose machine ended as it was out of memory has failed by itself', () => {
    const world = running();
    const ending = { status: 'terminating', terminationReason: 'out_of_memory' } as const;
    const instance = { ...world.instance(), ...ending, terminationMessage: 'OOMKilled' };
    world.instances.set(instance.id, instance);
    world.disconnect().pass();
    expect(world.job('job-1')).toMatchObject({
      ...{ terminationReason: 'container_exited_with_error', exitStatus: 137 },
      terminationMessage: 'OOMKilled',
    });
    world.later(2).pass();
    expect(jobStatusMessage(world.job('job-1'))).toBe('exited (137)');
  });

  test('a job counts how often it was interrupted, and no other failures', () => {
    const world = running({ retry: retry(3600) });
    const job = world.job('job-1');
    world.jobs.set(job.id, {
      ...job,
      resumeCount: 1,
      provisioningData: spot(job.provisioningData),
    });
    world.disconnect().later(5).pass();
    world.later(120).pass();
    world.later(2).pass();
    const resumed = [...world.jobs.values()].at(-1) ?? job;
    expect(resumed).toMatchObject({ submissionNum: 1, resumeCount: 2 });
    const failed = { status: 'failed', finishedAt: world.now } as const;
    const terminationReason = 'container_exited_with_error' as const;
    world.jobs.set(resumed.id, { ...resumed, ...failed, terminationReason, exitStatus: 1 });
    expect(nextResumeCount([world.job(resumed.id)])).toBe(2);
  });

  test('a provisioned machine restarts the count of attempts', () => {
    const world = new World({
      run: { resubmissionAttempt: 3 },
      jobs: [placedJob(anInstance({ busyBlocks: 1 }))],
      instances: [anInstance({ busyBlocks: 1 })],
      hosts: [aHost()],
    });
    world.pass();
    expect(world.run.resubmissionAttempt).toBe(0);
  });

  test('a stop while it waits ends the run without a new submission', () => {
    const world = running({ retry: retry(3600) });
    world.exit('job-1', 1);
    world.pass();
    world.stop();
    world.pass();
    world.later(100).pass();
    expect(world.run.status).toBe('terminated');
    expect(world.jobs.size).toBe(1);
  });
});
