import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../model/index.ts';
import { aHost, aJobSpec, anInstance, placedJob } from './testing.ts';
import { World } from './testing-world.ts';

const RETRY = { on_events: ['error' as const], duration: 3600 };

interface Options {
  readonly groups?: Record<string, number>;
  readonly spec?: Parameters<typeof aJobSpec>[0];
  readonly cron?: string;
}

/** A service with a running, ready replica for each that is wanted. */
function service({ groups = { '0': 2 }, spec = {} }: Options = {}) {
  const names = Object.entries(groups).flatMap(([group, n]) => Array<string>(n).fill(group));
  const instances = names.map((_, n) => anInstance({ id: `inst-${n}`, busyBlocks: 1 }));
  const jobs = names.map((group, n) =>
    placedJob(instances[n]!, {
      id: `job-${n}`,
      replicaNum: n,
      spec: aJobSpec({ ...spec, replica_num: n, replica_group: group }),
    }),
  );
  const world = new World({
    jobs,
    instances,
    hosts: names.map((_, n) => aHost({ id: `inst-${n}` })),
    run: { desiredReplicas: groups },
  });
  const configuration = { type: 'service', port: 8000 };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  for (const job of jobs) world.running(job.id);
  world.pass();
  world.events.length = 0;
  return world;
}

const want = (world: World, groups: Record<string, number>) => {
  world.run = { ...world.run, desiredReplicas: groups };
  world.pass();
};

const alive = (world: World): JobRecord[] =>
  [...world.jobs.values()].filter(
    (job) => job.finishedAt === null && job.terminationReason === null,
  );

/** Placement gives every waiting job an instance of its own, whose agent runs it at once. */
function placeAll(world: World, run = true) {
  for (const job of [...world.jobs.values()].filter((one) => one.status === 'submitted')) {
    const instance = anInstance({ id: `inst-${job.id}`, busyBlocks: 1 });
    world.instances.set(instance.id, instance);
    world.connect(instance.id);
    const { provisioningData, runtimeData } = placedJob(instance);
    world.jobs.set(job.id, {
      ...job,
      status: 'provisioning',
      instanceId: instance.id,
      claimedBlocks: 1,
      provisioningData,
      runtimeData,
      provisionedAt: world.now,
      refusal: null,
      waitingSince: null,
    });
    if (run) world.running(job.id);
  }
  world.pass();
}

/** Placement finds nothing for a job. */
function refuse(world: World, job: JobRecord) {
  world.jobs.set(job.id, { ...job, refusal: { kind: 'no-fleets' }, version: job.version + 1 });
  world.pass();
}

/** Every job that was asked to end does. */
function obey(world: World) {
  for (const intent of world.announced('job.stop')) {
    if (world.job(intent.subjectId).finishedAt === null) world.exit(intent.subjectId, 0);
  }
  world.pass();
}

describe('replicas of a service', () => {
  test('without probes take requests as soon as they run', () => {
    const world = service();
    expect(world.job('job-0')).toMatchObject({ ready: true, registered: true });
  });

  test('with probes wait until each has succeeded often enough, and are ready for good', () => {
    const probes = [{ ready_after: 1 }, { ready_after: 2 }] as never;
    const world = service({ groups: { '0': 1 }, spec: { probes } });
    expect(world.job('job-0')).toMatchObject({ ready: false, registered: false });
    world.probes = { 'job-0': [1, 0] };
    world.pass();
    expect(world.job('job-0')).toMatchObject({ ready: false, registered: false });
    world.probes = { 'job-0': [3, 2] };
    world.pass();
    expect(world.job('job-0')).toMatchObject({ ready: true, registered: true });
    world.probes = { 'job-0': [0, 0] };
    world.pass();
    expect(world.job('job-0')).toMatchObject({ ready: true, registered: true });
    expect(world.events).toEqual(['Service replica ready to receive requests']);
  });

  test('behind a router take no requests, but for the router itself', () => {
    const world = service({ groups: { router: 1, worker: 1 } });
    const groups = [{ name: 'router', router: { type: 'smg' } }, { name: 'worker' }];
    const configuration = { type: 'service', port: 8000, groups };
    for (const job of world.jobs.values()) world.jobs.set(job.id, { ...job, registered: false });
    world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
    world.pass();
    expect([...world.jobs.values()].map((job) => job.registered)).toEqual([true, false]);
  });

  test.each([
    ['with', RETRY],
    ['without', null],
  ] as const)(
    'one that dies comes back under its number while others serve, %s retry',
    (_, retry) => {
      const world = service({ groups: { '0': 3 }, spec: { retry } });
      world.exit('job-1', 1).pass();
      expect(world.run.status).toBe('running');
      expect(alive(world)).toHaveLength(2);
      world.later(2).pass();
      expect(world.latest(1)).toMatchObject({ submissionNum: 1, attempt: 1, status: 'submitted' });
      expect(world.events.at(-1)).toBe('Job created on retry. Status: SUBMITTED');
      expect(alive(world)).toHaveLength(3);
    },
  );

  test('one that dies without retry ends the service if no other serves', () => {
    const world = service({ groups: { '0': 2 } });
    const waiting = { ready: false, registered: false };
    world.jobs.set('job-0', { ...world.job('job-0'), ...waiting, status: 'provisioning' });
    world.exit('job-1', 1).pass();
    expect(world.run).toMatchObject({ status: 'terminating', terminationReason: 'job_failed' });
  });

  test('one in a crash loop is retried less and less often', () => {
    const world = service({ groups: { '0': 2 } });
    const gaps: number[] = [];
    for (let i = 0; i < 12; i++) {
      const crashed = world.now;
      world.exit(world.latest(1).id, 1).pass();
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
      gaps.push((world.now - crashed) / 1_000_000);
      placeAll(world);
    }
    const nominal = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300];
    for (const [i, gap] of gaps.entries()) {
      expect(gap / (nominal[i] ?? 0)).toBeGreaterThanOrEqual(0.8);
      expect(gap / (nominal[i] ?? 0)).toBeLessThanOrEqual(1.2);
    }
    world.later(600).exit(world.latest(1).id, 1).pass();
    expect((world.run.nextPassAt ?? 0) - world.now).toBeLessThanOrEqual(1_200_000);
  });

  test('one without a place waits beside those that serve, without a limit', () => {
    const world = service({ groups: { '0': 1 } });
    want(world, { '0': 2 });
    refuse(world, world.latest(1));
    expect(world.run.status).toBe('running');
    expect(world.latest(1)).toMatchObject({ status: 'submitted', waitingSince: world.now });
    expect(world.run.nextPassAt).toBeNull();
    const before = world.events.length;
    world.later(864_000).pass();
    expect(world.latest(1)).toMatchObject({ status: 'submitted', submissionNum: 0 });
    expect(world.events).toHaveLength(before);
    placeAll(world);
    expect(alive(world)).toHaveLength(2);
  });

  test('one that waits ends the service without retry when the last that served has ended', () => {
    const world = service({ groups: { '0': 1 } });
    want(world, { '0': 2 });
    refuse(world, world.latest(1));
    world.exit('job-0', 1).pass();
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'job_failed' });
  });

  test('that failed and are no longer desired are not retried', () => {
    const world = service({ groups: { '0': 2 } });
    world.exit('job-1', 1).pass();
    want(world, { '0': 1 });
    world.later(10).pass();
    expect(world.latest(1).submissionNum).toBe(0);
    expect(world.run.status).toBe('running');
    want(world, { '0': 2 });
    expect(world.latest(1)).toMatchObject({ submissionNum: 1, status: 'submitted' });
  });

  test('keep the first submission, the last twenty and those that ended differently', () => {
    const world = service({ groups: { '0': 2 } });
    for (let i = 0; i < 30; i++) {
      world.exit(world.latest(1).id, i === 3 ? 7 : 1).pass();
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
      placeAll(world);
    }
    const kept = [...world.jobs.values()].filter((job) => job.replicaNum === 1);
    const numbers = kept.map((job) => job.submissionNum).sort((a, b) => a - b);
    expect(numbers.slice(0, 3)).toEqual([0, 3, 4]);
    expect(numbers.slice(3)).toEqual(Array.from({ length: 21 }, (_, i) => 10 + i));
  });

  test('become more with the next numbers', () => {
    const world = service();
    want(world, { '0': 4 });
    expect(
      alive(world)
        .map((job) => job.replicaNum)
        .sort(),
    ).toEqual([0, 1, 2, 3]);
  });

  test('become fewer from the least important on, gracefully', () => {
    const world = service();
    want(world, { '0': 4 });
    placeAll(world, false);
    want(world, { '0': 1 });
    expect(alive(world).map((job) => job.replicaNum)).toEqual([0]);
    expect(world.job('job-1')).toMatchObject({
      terminationReason: 'scaled_down',
      stopGraceful: true,
    });
    obey(world);
    expect(world.job('job-1').status).toBe('terminated');
    expect(world.run.status).toBe('running');
    want(world, { '0': 2 });
    expect(world.latest(1)).toMatchObject({ submissionNum: 1, status: 'submitted' });
  });

  test('go to zero and back without a delay, in the same fleet', () => {
    const world = service({ groups: { '0': 1 } });
    world.run = { ...world.run, fleetId: 'fleet-1' };
    want(world, { '0': 0 });
    obey(world);
    expect(world.run).toMatchObject({ status: 'pending', fleetId: 'fleet-1', nextPassAt: null });
    want(world, { '0': 1 });
    expect(world.run.status).toBe('submitted');
    expect(world.latest(0).submissionNum).toBe(1);
  });

  test('of a group that is gone are scaled down, those of others are not', () => {
    const world = service({ groups: { a: 1, b: 1 } });
    want(world, { a: 1 });
    obey(world);
    expect(world.job('job-1').terminationReason).toBe('scaled_down');
    expect(world.job('job-0').status).toBe('running');
    expect(world.run.status).toBe('running');
  });
});

describe('a new deployment', () => {
  function deploy(world: World, env: Record<string, string> | null) {
    world.run = { ...world.run, deploymentNum: world.run.deploymentNum + 1 };
    const build = world.buildJobs;
    if (env !== null) world.buildJobs = (...a) => build(...a).map((spec) => ({ ...spec, env }));
    world.pass();
  }

  test('that changes no job is taken over in place', () => {
    const world = service();
    deploy(world, null);
    expect([...world.jobs.values()].map((job) => job.deploymentNum)).toEqual([1, 1]);
    expect(world.jobs.size).toBe(2);
  });

  test('replaces replicas one by one, with enough of them taking requests all the time', () => {
    const world = service();
    deploy(world, { A: '2' });
    for (let step = 0; step < 6; step++) {
      const present = [...world.jobs.values()].filter((job) => job.finishedAt === null);
      expect(present.length).toBeLessThanOrEqual(3);
      const serving = present.filter((job) => job.ready && job.terminationReason === null);
      expect(serving.length).toBeGreaterThanOrEqual(2);
      placeAll(world);
      obey(world);
    }
    expect(alive(world).map((job) => job.deploymentNum)).toEqual([1, 1]);
    expect(world.job('job-0').terminationReason).toBe('scaled_down');
    expect(world.job('job-1').terminationReason).toBe('scaled_down');
  });

  test('that never gets ready leaves the old replicas serving, and going back finishes it', () => {
    const world = service({ spec: { retry: RETRY, probes: [{ ready_after: 1 }] as never } });
    for (const id of ['job-0', 'job-1']) world.jobs.set(id, { ...world.job(id), ready: true });
    world.pass();
    deploy(world, { A: 'broken' });
    placeAll(world);
    expect(alive(world)).toHaveLength(3);
    expect(world.latest(2).ready).toBe(false);
    world.exit(world.latest(2).id, 1).pass();
    world.later(2).pass();
    expect(world.latest(2).submissionNum).toBe(1);
    expect(world.run.status).toBe('running');
    deploy(world, {});
    placeAll(world);
    obey(world);
    expect(alive(world).map((job) => [job.id, job.deploymentNum])).toEqual([
      ['job-0', 2],
      ['job-1', 2],
    ]);
  });

  test('does not prevent a killed replica from being replaced', () => {
    const world = service({ groups: { '0': 1 } });
    deploy(world, { A: '2' });
    placeAll(world);
    obey(world);
    expect(alive(world).map((job) => job.replicaNum)).toEqual([1]);
    want(world, { '0': 1 });
    world.jobs.set('job-0', { ...world.job('job-0'), spec: aJobSpec({ retry: RETRY }) });
    const served = world.latest(1);
    world.jobs.set(served.id, { ...served, spec: { ...served.spec, retry: RETRY } });
    world.exit(served.id, 137).pass();
    expect(world.run.status).toBe('pending');
    world.later(2).pass();
    expect(world.run.status).toBe('submitted');
    expect(alive(world).map((job) => [job.replicaNum, job.submissionNum])).toEqual([[1, 1]]);
    placeAll(world);
    expect(world.run.status).toBe('running');
  });

  test('continues while a replaced replica still answers a long request', () => {
    const world = service();
    deploy(world, { A: '2' });
    placeAll(world);
    const draining = [...world.jobs.values()].filter((job) => job.status === 'terminating');
    expect(draining).toHaveLength(1);
    expect(alive(world).filter((job) => job.deploymentNum === 1)).toHaveLength(2);
  });

  test('of a crashing replica starts at once, without the delays of the last deployment', () => {
    const world = service({ groups: { '0': 2 } });
    for (let i = 0; i < 5; i++) {
      world.exit(world.latest(1).id, 1).pass();
      world.now = world.run.nextPassAt ?? 0;
      world.pass();
      placeAll(world);
    }
    world.exit(world.latest(1).id, 1).pass();
    expect((world.run.nextPassAt ?? 0) - world.now).toBeGreaterThan(20_000_000);
    deploy(world, { A: 'fixed' });
    expect(world.latest(1)).toMatchObject({ status: 'submitted', attempt: 0, deploymentNum: 1 });
  });

  test('of a task is of the running job too', () => {
    const instance = anInstance({ busyBlocks: 1 });
    const world = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost()],
    });
    world.running('job-1').pass();
    deploy(world, null);
    expect(world.job('job-1').deploymentNum).toBe(1);
    expect(world.jobs.size).toBe(1);
  });
});

describe('a run with a schedule', () => {
  const MINUTE = 60_000_000;
  function scheduled() {
    const world = new World({
      run: { status: 'pending' },
      nextFire: (_cron, after) => (Math.floor(after / MINUTE) + 1) * MINUTE,
    });
    const configuration = { ...world.run.spec.configuration, schedule: { cron: '* * * * *' } };
    world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
    world.pass();
    return world;
  }

  function execute(world: World, exit: number) {
    world.now = world.run.nextPassAt ?? 0;
    world.pass();
    expect(world.run.status).toBe('submitted');
    placeAll(world);
    world.exit(world.latest().id, exit).pass();
  }

  test('waits for its time, fires on it, and waits again after success and failure', () => {
    const world = scheduled();
    expect(world.jobs.size).toBe(0);
    const first = world.run.nextTriggeredAt;
    expect(world.run.nextPassAt).toBe(first);
    execute(world, 0);
    expect(world.run).toMatchObject({ status: 'pending', terminationReason: null });
    expect(world.run.nextTriggeredAt).toBe(first! + MINUTE);
    execute(world, 1);
    expect(world.run).toMatchObject({ status: 'pending', resubmissionAttempt: 0 });
    expect(world.latest().submissionNum).toBe(1);
  });

  test('skips firings while it runs', () => {
    const world = scheduled();
    world.now = world.run.nextPassAt ?? 0;
    world.pass();
    placeAll(world);
    world.later(150).pass();
    world.exit(world.latest().id, 0).pass();
    expect(world.run.nextTriggeredAt).toBeGreaterThan(world.now);
    expect(world.jobs.size).toBe(1);
  });

  test('makes up for a firing missed while the server was down, once', () => {
    const world = scheduled();
    world.later(600).pass();
    expect(world.run.status).toBe('submitted');
    expect(world.jobs.size).toBe(1);
  });

  test('is over when a person stops it', () => {
    const world = scheduled();
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
  });
});
