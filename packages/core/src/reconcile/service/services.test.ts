import { describe, expect, test } from 'vitest';
import { alive, obey, placeAll, RETRY, refuse, service, want } from '../testing/services.ts';

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

  test('of a removed group are scaled down, those of others are not', () => {
    const world = service({ groups: { a: 1, b: 1 } });
    want(world, { a: 1 });
    obey(world);
    expect(world.job('job-1').terminationReason).toBe('scaled_down');
    expect(world.job('job-0').status).toBe('running');
    expect(world.run.status).toBe('running');
  });
});
