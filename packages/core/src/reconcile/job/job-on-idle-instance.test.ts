import { describe, expect, test } from 'vitest';
import { aHost, anInstance, anOffer, placedJob } from '../testing/records.ts';
import { placed, running } from '../testing/runs.ts';
import { World } from '../testing/world.ts';

describe('a job on an idle instance', () => {
  test('is put on its host, which makes the instance busy', () => {
    const world = placed();
    world.pass();
    expect(world.announced('job.start').map((i) => i.key)).toEqual(['job.start:job-1:0']);
    expect(world.signals).toContainEqual({ kind: 'intent', id: 'job.start:job-1:0' });
    expect(world.instance().status).toBe('busy');
    expect(world.run.status).toBe('provisioning');
  });

  test('passes pulling on a host with containers and runs when its agent reports it', () => {
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

  test('ignores a user name from its host that no client could log in with', () => {
    const world = placed();
    world.pass();
    world.running('job-1');
    world.report('job-1', { username: 'a\n  ProxyCommand x' });
    world.pass();
    expect(world.job('job-1').runtimeData?.username).toBeNull();
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

  test('ends its run in the transaction of its exit, and every step is recorded in order', () => {
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

  test('that ended before it was seen running records every step nevertheless', () => {
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

  test('a failed pull is reported with its message and leaves the instance usable', () => {
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

  test('an agent that still reports it is ordered again to remove it', () => {
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

  test('an instance created for its job alone ends with it', () => {
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

  test.each(['accepted', 'pulling', 'held'] as const)(
    'a start that is refused after its agent reported %s ends it too',
    (phase) => {
      const world = placed();
      world.pass();
      world.report('job-1', { phase }).pass();
      const message = 'the uploaded archive is missing';
      world.settle('job.start:job-1:0', { kind: 'refused', reason: 'executor_error', message });
      world.pass();
      expect(world.job('job-1')).toMatchObject({
        status: 'terminating',
        terminationReason: 'executor_error',
        terminationMessage: message,
      });
      world.exit('job-1', null).pass();
      expect(world.job('job-1').status).toBe('failed');
    },
  );

  test('a settled pass run again changes nothing', () => {
    const world = running();
    expect(world.pass().changes).toEqual([]);
  });
});
