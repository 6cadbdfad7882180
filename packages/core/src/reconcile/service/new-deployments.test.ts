import { describe, expect, test } from 'vitest';
import { aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { alive, obey, placeAll, RETRY, service, want } from '../testing/services.ts';
import { World } from '../testing/world.ts';

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

  test('that only changes probes is taken over in place, and the replicas get them', () => {
    const world = service();
    const build = world.buildJobs;
    const probes = [{ ready_after: 2 }] as never;
    world.buildJobs = (...a) => build(...a).map((spec) => ({ ...spec, probes }));
    deploy(world, null);
    const jobs = [...world.jobs.values()];
    expect(jobs.map((job) => [job.deploymentNum, job.spec.probes])).toEqual([
      [1, probes],
      [1, probes],
    ]);
    expect(jobs.every((job) => job.registered && job.terminationReason === null)).toBe(true);
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
      world.later(10).pass();
      obey(world);
    }
    expect(alive(world).map((job) => job.deploymentNum)).toEqual([1, 1]);
    expect(world.job('job-0').terminationReason).toBe('scaled_down');
    expect(world.job('job-1').terminationReason).toBe('scaled_down');
  });

  test.each([
    ['at once', 1, 0],
    ['at once', 3, 0],
    ['within seconds', 1, 8],
    ['within seconds', 3, 8],
  ])(
    'without probes that crashes %s leaves all of %i old replicas serving',
    (_when, count, seconds) => {
      const world = service({ groups: { '0': count } });
      deploy(world, { A: 'broken' });
      for (let crash = 0; crash < 12; crash++) {
        placeAll(world, seconds > 0);
        world.later(seconds);
        const broken = alive(world).filter((job) => job.deploymentNum === 1);
        for (const { id } of broken) world.exit(id, 7);
        world.pass();
        const old = alive(world).filter((job) => job.ready && job.deploymentNum === 0);
        expect(old).toHaveLength(count);
        world.now = world.run.nextPassAt ?? world.now;
        world.pass();
      }
      expect(world.run.status).toBe('running');
      expect(world.latest(count).attempt).toBeGreaterThan(5);
    },
  );

  test('that never gets ready leaves the old replicas serving, and a return to the old spec finishes it', () => {
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
    world.later(10).pass();
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
    expect(world.run.nextPassAt).toBe(world.now + 10_000_000);
    world.later(10).pass();
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

  test('of a task applies to the running job too', () => {
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
