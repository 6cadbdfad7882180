import { describe, expect, test } from 'vitest';
import { aHost, aJob, aJobSpec, anInstance, anOffer, aPlaceholder, placedJob } from './testing.ts';
import { World } from './testing-world.ts';

/** A run whose job was placed on an idle instance with a connected agent. */
function placed(
  spec: Parameters<typeof aJobSpec>[0] = {},
  executor: 'docker' | 'process' = 'docker',
) {
  const instance = anInstance({ busyBlocks: 1 });
  return new World({
    jobs: [placedJob(instance, { spec: aJobSpec(spec) })],
    instances: [instance],
    hosts: [aHost({ executor })],
  });
}

function running(spec: Parameters<typeof aJobSpec>[0] = {}) {
  const world = placed(spec);
  world.pass();
  world.settle('job.start:job-1:0', { kind: 'ok' }).running('job-1');
  world.pass();
  world.events.length = 0;
  return world;
}

describe('a job on an idle instance', () => {
  test('is put on its host, which makes the instance busy', () => {
    const world = placed();
    world.pass();
    expect(world.announced('job.start').map((i) => i.key)).toEqual(['job.start:job-1:0']);
    expect(world.signals).toContainEqual({ kind: 'intent', id: 'job.start:job-1:0' });
    expect(world.instance().status).toBe('busy');
    expect(world.run.status).toBe('provisioning');
  });

  test('passes pulling on a host with containers and is running when its agent says so', () => {
    const world = placed();
    world.pass();
    world.report('job-1', { phase: 'pulling' });
    world.pass();
    expect(world.job('job-1').status).toBe('pulling');
    world.running('job-1');
    world.pass();
    const job = world.job('job-1');
    expect(job.status).toBe('running');
    expect(job.runtimeData).toMatchObject({
      ports: { '10022': 41000 },
      working_dir: '/workflow',
      username: 'root',
    });
    expect(world.run.status).toBe('running');
    expect(world.events).toEqual([
      'Instance status changed IDLE -> BUSY',
      'Run status changed SUBMITTED -> PROVISIONING',
      'Job status changed PROVISIONING -> PULLING',
      'Job status changed PULLING -> RUNNING',
      'Run status changed PROVISIONING -> RUNNING',
    ]);
  });

  test('does not pass pulling where there are no containers', () => {
    const world = placed({}, 'process');
    world.pass();
    world.report('job-1', { phase: 'preparing' });
    world.pass();
    expect(world.job('job-1').status).toBe('provisioning');
    world.running('job-1');
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    expect(world.events).not.toContain('Job status changed PROVISIONING -> PULLING');
  });

  test('of the local backend is reached at its own port', () => {
    const offer = anOffer({ backend: 'local', region: 'local', price: 0 });
    const instance = anInstance({ offer, busyBlocks: 1 });
    const world = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost({ executor: 'process' })],
    });
    world.pass();
    world.report('job-1', { phase: 'starting', ssh_port: 41022 });
    world.pass();
    expect(world.job('job-1').status).toBe('provisioning');
    expect(world.job('job-1').provisioningData?.ssh_port).toBe(41022);
  });

  test('ends its run in the transaction of its exit, and every step is told in order', () => {
    const world = running();
    world.exit('job-1', 0);
    world.pass();
    expect(world.run.status).toBe('done');
    expect(world.run.terminationReason).toBe('all_jobs_done');
    expect(world.job('job-1')).toMatchObject({
      status: 'done',
      exitStatus: 0,
      instanceId: null,
      claimedBlocks: 0,
      finishedAt: world.now,
    });
    expect(world.instance()).toMatchObject({
      status: 'idle',
      busyBlocks: 0,
      lastJobFinishedAt: world.now,
      nextPassAt: world.now + 300_000_000,
    });
    expect(world.events).toEqual([
      'Run status changed RUNNING -> TERMINATING. Termination reason: ALL_JOBS_DONE',
      'Job status changed RUNNING -> TERMINATING. Termination reason: DONE_BY_RUNNER',
      'Job unassigned from instance. Instance blocks: 0/1 busy',
      'Instance status changed BUSY -> IDLE',
      'Job status changed TERMINATING -> DONE',
      'Run status changed TERMINATING -> DONE',
    ]);
    expect(world.announced('job.remove')[0]?.payload).toEqual({
      kind: 'job.remove',
      hostId: 'inst-1',
    });
    expect(world.run.nextPassAt).toBeNull();
  });

  test('that ended before anyone saw it run tells every step nevertheless', () => {
    const world = placed();
    world.pass();
    world.exit('job-1', 0);
    world.pass();
    expect(world.run.status).toBe('done');
    expect(world.events).toEqual([
      'Instance status changed IDLE -> BUSY',
      'Run status changed SUBMITTED -> PROVISIONING',
      'Job status changed PROVISIONING -> PULLING',
      'Job status changed PULLING -> RUNNING',
      'Run status changed PROVISIONING -> RUNNING',
      'Run status changed RUNNING -> TERMINATING. Termination reason: ALL_JOBS_DONE',
      'Job status changed RUNNING -> TERMINATING. Termination reason: DONE_BY_RUNNER',
      'Job unassigned from instance. Instance blocks: 0/1 busy',
      'Instance status changed BUSY -> IDLE',
      'Job status changed TERMINATING -> DONE',
      'Run status changed TERMINATING -> DONE',
    ]);
  });

  test.each([
    [7, null, 'container_exited_with_error', 'failed', 7],
    [137, 'max_duration_exceeded', 'max_duration_exceeded', 'terminated', 137],
    [null, 'creating_container_error', 'creating_container_error', 'failed', null],
    [null, 'a word of tomorrow', 'executor_error', 'failed', null],
    [null, null, 'executor_error', 'failed', null],
  ] as const)('exit %s with reason %s ends it as %s', (status, word, reason, final, exitStatus) => {
    const world = running();
    world.exit('job-1', status, word);
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      status: final,
      terminationReason: reason,
      exitStatus,
    });
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
    expect(world.instance().status).toBe('idle');
  });

  test('a failed pull is told with its message and leaves the instance usable', () => {
    const world = placed();
    world.pass();
    world.exit('job-1', null, 'creating_container_error');
    world.pass();
    expect(world.job('job-1').terminationMessage).toBe('because of creating_container_error');
    expect(world.events).not.toContain('Job status changed PULLING -> RUNNING');
    expect(world.instance().status).toBe('idle');
  });

  test('does not end before its log is stored', () => {
    const world = running();
    world.report('job-1', { log_end: 100 }).exit('job-1', 0);
    world.logEnds = { 'job-1': 60 };
    world.pass();
    expect(world.job('job-1').status).toBe('running');
    expect(world.run.nextPassAt).toBe(world.now + 300_000_000);
    world.logEnds = { 'job-1': 100 };
    world.pass();
    expect(world.run.status).toBe('done');
  });

  test('ends five minutes after its exit even if its log cannot be stored', () => {
    const world = running();
    world.report('job-1', { log_end: 100 }).exit('job-1', 0);
    world.pass();
    world.later(300).pass();
    expect(world.run.status).toBe('done');
  });

  test('an agent that still speaks of it is told once more to forget it', () => {
    const world = running();
    world.exit('job-1', 0);
    world.pass();
    world.later(1).settle('job.remove:job-1:0', { kind: 'ok' });
    expect(world.pass().changes).toEqual([]);
    world.later(1).running('job-1');
    world.pass();
    expect(world.announced('job.remove').map((i) => i.key)).toEqual(['job.remove:job-1:1']);
    expect(world.job('job-1').status).toBe('done');
    expect(world.pass().changes).toEqual([]);
  });

  test('an instance made for its job alone ends with it', () => {
    const instance = anInstance({ busyBlocks: 1, idleSeconds: 0 });
    const world = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost()],
    });
    world.pass();
    world.exit('job-1', 0);
    world.pass();
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'job_finished',
    });
    expect(world.signals).toContainEqual({ kind: 'instance', id: 'inst-1' });
  });

  test('an instance with another job stays busy', () => {
    const instance = anInstance({ busyBlocks: 3, totalBlocks: 4, status: 'busy' });
    const world = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost()],
    });
    world.exit('job-1', 0);
    world.pass();
    expect(world.instance()).toMatchObject({ status: 'busy', busyBlocks: 2 });
    expect(world.events).toContain('Job unassigned from instance. Instance blocks: 2/4 busy');
  });

  test('a start that can never work ends it with the reason given', () => {
    const world = placed();
    world.pass();
    const refused = { kind: 'refused', reason: 'ports_binding_failed', message: 'taken' } as const;
    world.settle('job.start:job-1:0', refused);
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      status: 'failed',
      terminationReason: 'ports_binding_failed',
      terminationMessage: 'taken',
    });
  });

  test('a settled pass run again changes nothing', () => {
    const world = running();
    expect(world.pass().changes).toEqual([]);
  });
});

describe('a job that needs a new machine', () => {
  function placeholder() {
    return new World({
      jobs: [aJob({ instanceId: 'inst-1', claimedBlocks: 1 })],
      instances: [aPlaceholder('job-1')],
    }).creating('inst-1');
  }

  test('is provisioned once the machine was made, and starts when its agent is up', () => {
    const world = placeholder();
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

  test('takes the blocks of the offer that was honoured, not of the first one', () => {
    const world = placeholder();
    const planned = world.instance();
    world.instances.set('inst-1', { ...planned, totalBlocks: 8, busyBlocks: 4 });
    world.jobs.set('job-1', { ...world.job('job-1'), claimedBlocks: 4 });
    world.created('inst-1', anOffer({ blocks: 1, total_blocks: 2 }));
    world.pass();
    expect(world.instance()).toMatchObject({ totalBlocks: 2, busyBlocks: 1 });
    expect(world.job('job-1').claimedBlocks).toBe(1);
    expect(world.job('job-1').runtimeData).toMatchObject({ cpu: 2, memory: 8 });
  });

  test('fails without a trace of the placeholder when no offer worked', () => {
    const world = placeholder();
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

  test('fails when the agent of its machine never answers, counted from the machine, not the queue', () => {
    const world = placeholder().later(3000);
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

  test('fails the same way when the instance noticed first', () => {
    const world = placeholder();
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

describe('stop and abort', () => {
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

  test('an abort kills at once and asks nobody', () => {
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

  test('a job that nobody was told to start ends at once', () => {
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

  test('a start that a worker does although it was called off is undone', () => {
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

  test('a machine that is being made is left to its instance, and the run does not wait for it', () => {
    const world = new World({
      jobs: [aJob({ instanceId: 'inst-1', claimedBlocks: 1 })],
      instances: [aPlaceholder('job-1')],
    }).creating('inst-1');
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
