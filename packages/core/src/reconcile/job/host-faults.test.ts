import type { HostCheck } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { isJobFinished, isJobWaiting, jobStatusMessage } from '../../status/index.ts';
import { aHost, aJobSpec, anInstance, anOffer, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

type Spec = Parameters<typeof aJobSpec>[0];

const HUNG = 'The Docker daemon of the host has not answered for 30 seconds';

/** A job that was placed on an SSH host with a connected agent. */
function placed(spec: Spec = {}, backend: 'remote' | 'aws' = 'remote'): World {
  const instance = anInstance({ busyBlocks: 1, backend, offer: anOffer({ backend }) });
  return new World({
    jobs: [placedJob(instance, { spec: aJobSpec(spec) })],
    instances: [instance],
    hosts: [aHost()],
  });
}

/** The newest submission is started, and its host fails. */
function failStart(world: World, host_fault = 'daemon_hung'): void {
  const { id } = world.latest();
  world.pass();
  world.settle(`job.start:${id}:0`, { kind: 'ok' });
  const exit = { status: null, reason: 'creating_container_error', message: HUNG, host_fault };
  world.report(id, { phase: 'exited', exit });
  world.pass();
  world.instancePass();
}

/** The newest submission is placed on the instance again. */
function placeAgain(world: World): void {
  world.later(400).pass();
  const job = world.latest();
  expect(job.status).toBe('submitted');
  const instance = world.instance();
  const { id, submissionNum, spec } = job;
  world.instances.set(instance.id, { ...instance, busyBlocks: 1, version: instance.version + 1 });
  const since = { provisionedAt: world.now, statusChangedAt: world.now, submittedAt: world.now };
  const version = job.version + 1;
  world.jobs.set(id, placedJob(instance, { id, submissionNum, spec, version, ...since }));
}

const refuse = (world: World, rule: 'host_fault' | 'cordoned' | 'unhealthy' | 'busy') => {
  const job = world.latest();
  const pool = [{ rule, asked: null, has: null, count: 1, property: null }];
  const fleets = [{ fleet: 'a', verdict: 'full', growth: null, pool } as const];
  const refusal = { kind: 'no-place', nodes: 1, selected: false, fleets } as const;
  world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
  world.pass();
};

describe('a start that fails because of the host', () => {
  it('puts the job back in the queue, although the run has no `retry`', () => {
    const world = placed();
    failStart(world);
    expect(world.job('job-1')).toMatchObject({
      status: 'failed',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      terminationMessage: expect.stringContaining(HUNG),
      hostFault: 'daemon_hung',
    });
    expect(jobStatusMessage(world.job('job-1'))).toBe('host failed');
    expect(world.run.status).toBe('pending');
    world.later(2).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, status: 'submitted', resumeCount: 0 });
    expect(world.run).toMatchObject({ status: 'submitted', terminationReason: null });
  });

  it('puts the job back in the queue if the host is lost before it reports the job', () => {
    const world = placed();
    const { id } = world.latest();
    world.pass();
    expect(world.intents.get(`job.start:${id}:0`)).toMatchObject({ state: 'announced' });
    world.disconnect();
    world.later(10).pass();
    world.later(40).pass();
    expect(world.job(id).status).toBe('provisioning');
    world.later(30).pass();
    // Its start may be on the way still: the host is ordered to end it once it is back.
    expect(world.job(id)).toMatchObject({ status: 'terminating', hostFault: 'unreachable' });
    world.later(40).pass();
    world.later(10).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, status: 'submitted', resumeCount: 0 });
    expect(world.intents.get(`job.start:${id}:0`)).toMatchObject({ state: 'failed' });
  });

  it('leaves a job to its lost host that has reported it', () => {
    const world = placed();
    const { id } = world.latest();
    world.pass();
    world.settle(`job.start:${id}:0`, { kind: 'ok' }).report(id, { phase: 'pulling' });
    world.pass();
    world.disconnect();
    world.later(10).pass();
    world.later(600).pass();
    expect(isJobFinished(world.job(id).status)).toBe(false);
    expect(world.job(id).hostFault).toBe(null);
  });

  it('lets the job wait for as long as there is no other host', () => {
    const world = placed();
    failStart(world);
    world.later(2).pass();
    refuse(world, 'busy');
    world.later(7 * 86_400).pass();
    expect(isJobWaiting(world.latest())).toBe(true);
    expect(world.run.status).toBe('submitted');
  });

  it('uses up nothing of `retry`', () => {
    const retry = { on_events: ['error' as const], duration: 60 };
    const world = placed({ retry });
    failStart(world);
    placeAgain(world);
    failStart(world);
    placeAgain(world);
    const { id } = world.latest();
    world.pass();
    world.settle(`job.start:${id}:0`, { kind: 'ok' }).running(id);
    world.pass();
    world.later(5).exit(id, 1);
    world.pass();
    expect(world.run.status).toBe('pending');
    world.later(30).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 3, status: 'submitted' });
  });

  it('lets the host cool down for longer each time, and at most half an hour', () => {
    const world = placed();
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      if (i > 0) placeAgain(world);
      failStart(world);
      const { hostTrouble, health, nextPassAt } = world.instance();
      expect([health, nextPassAt]).toEqual(['failure', hostTrouble?.coolsUntil]);
      pauses.push(((hostTrouble?.coolsUntil ?? 0) - world.now) / 1_000_000);
      world.later(pauses.at(-1) ?? 0).instancePass();
      expect(world.instance()).toMatchObject({
        health: 'healthy',
        hostTrouble: { failedStarts: i + 1, coolsUntil: null },
      });
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 960, 1800, 1800]);
    expect(world.events).toContain(
      `Instance health changed HEALTHY -> FAILURE (starts: the last start of a job failed because of the host (${HUNG}); the next job comes after 30 seconds)`,
    );
    expect(world.signals).toContainEqual({ kind: 'capacity', id: 'fleet:fleet-1' });
  });

  it('is forgotten after a start that succeeds', () => {
    const world = placed();
    failStart(world);
    placeAgain(world);
    const { id } = world.latest();
    world.instancePass();
    world.pass();
    world.settle(`job.start:${id}:0`, { kind: 'ok' }).running(id);
    world.pass();
    expect(world.instance().hostTrouble).toBeNull();
  });

  it.each([
    ['a shared fault', 'remote', 'no_space'],
    ['a rented machine', 'aws', 'daemon_hung'],
  ] as const)('fails the job in the end: %s', (_, backend, fault) => {
    const world = placed({}, backend);
    for (let i = 0; i < 4; i++) {
      failStart(world, fault);
      expect(world.run.status).toBe('pending');
      placeAgain(world);
    }
    failStart(world, fault);
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
    expect(world.latest()).toMatchObject({
      terminationReason: 'creating_container_error',
      terminationMessage: HUNG,
    });
  });

  it('of one node ends the others, and all of them are put back', () => {
    const spec = { jobs_per_replica: 2 };
    const [a, b] = [anInstance({ busyBlocks: 1, backend: 'remote' })].flatMap((one) => [
      one,
      { ...one, id: 'inst-2', instanceNum: 1, name: 'pool-1', hostId: 'inst-2' },
    ]);
    if (!a || !b) return expect.unreachable();
    const world = new World({
      jobs: [
        placedJob(a, { spec: aJobSpec(spec) }),
        placedJob(b, { id: 'job-2', jobNum: 1, spec: aJobSpec({ ...spec, job_num: 1 }) }),
      ],
      instances: [a, b],
      hosts: [aHost(), aHost({ id: 'inst-2' })],
    });
    failStart(world);
    world.settle('job.start:job-2:0', { kind: 'ok' });
    world.later(1).exit('job-2', null, 'terminated_by_server');
    world.pass();
    world.later(2).pass();
    for (const job of [world.latest(0, 0), world.latest(0, 1)]) {
      expect(job).toMatchObject({ submissionNum: 1, status: 'submitted' });
    }
    refuse(world, 'busy');
    const other = world.latest(0, 1);
    world.jobs.set(other.id, { ...other, refusal: world.latest(0, 0).refusal, version: 9 });
    world.pass();
    expect(isJobWaiting(world.latest(0, 0)) && isJobWaiting(world.latest(0, 1))).toBe(true);
  });
});

describe('a running job that its host ended', () => {
  it('is interrupted, with the message, and its host does not cool down', () => {
    const world = placed({ retry: { on_events: ['interruption'], duration: 3600 } });
    world.pass();
    world.settle('job.start:job-1:0', { kind: 'ok' }).running('job-1');
    world.pass();
    const exit = {
      ...{
        status: 137,
        reason: 'interrupted_by_no_capacity',
        message: 'The container was removed',
      },
      host_fault: 'container_removed',
    };
    world.report('job-1', { phase: 'exited', exit });
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      terminationReason: 'interrupted_by_no_capacity',
      terminationMessage: 'The container was removed',
      exitStatus: 137,
    });
    expect(world.instance().hostTrouble).toBeNull();
    world.later(2).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, resumeCount: 1 });
  });
});

describe('a host whose executor check fails', () => {
  const check = (status: HostCheck['status']): HostCheck => ({
    ...{ name: 'executor', status },
    message: status === 'failure' ? 'the Docker daemon does not answer' : null,
  });
  const report = (world: World, ...checks: readonly HostCheck[]) => {
    world.health.set('inst-1', {
      hostId: 'inst-1',
      checks,
      since: world.now,
      reportedAt: world.now,
    });
    world.instancePass();
  };

  it('lets a new run wait, as a cordon does, while another bad health ends a run without `retry`', () => {
    for (const rule of ['host_fault', 'cordoned', 'unhealthy'] as const) {
      const world = placed();
      failStart(world);
      // A run of its own, which was never put back.
      world.later(2).pass();
      world.jobs.delete('job-1');
      refuse(world, rule);
      expect(world.run.status).toBe(rule === 'unhealthy' ? 'failed' : 'submitted');
    }
  });

  it('ends its cool-down when the check passes again', () => {
    const world = placed();
    report(world, check('failure'));
    expect(world.instance()).toMatchObject({
      health: 'failure',
      hostTrouble: { executorFails: true, failedStarts: 0 },
    });
    failStart(world);
    expect(world.instance().hostTrouble?.coolsUntil).not.toBeNull();
    report(world, check('healthy'));
    expect(world.instance()).toMatchObject({
      health: 'healthy',
      hostTrouble: { executorFails: false, failedStarts: 1, coolsUntil: null },
    });
  });

  it('ends a cool-down that a server with a wrong clock stored too far ahead', () => {
    const world = placed();
    failStart(world);
    const instance = world.instance();
    const { hostTrouble } = instance;
    const coolsUntil = world.now + 7200_000_000;
    world.instances.set(instance.id, {
      ...instance,
      hostTrouble: hostTrouble && { ...hostTrouble, coolsUntil },
    });
    world.instancePass();
    expect(world.instance().hostTrouble?.coolsUntil).toBeNull();
  });

  it('keeps the cool-down of starts that failed while the check passed', () => {
    const world = placed();
    report(world, check('healthy'));
    failStart(world);
    report(world, check('healthy'));
    expect(world.instance()).toMatchObject({ health: 'failure' });
  });
});
