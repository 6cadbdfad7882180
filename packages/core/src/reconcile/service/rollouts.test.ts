import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../model/index.ts';
import { alive, obey, placeAll, service } from '../testing/services.ts';
import type { World } from '../testing/world.ts';
import { pauseRollout, resumeRollout, rollback, startedRollout } from './rollout-state.ts';

const USER_1 = { userId: 'user-1', token: null, address: null };

describe('a rollout', () => {
  /** An update of a service, as the API writes it. */
  function update(world: World, rollout: object = {}, env = 'new') {
    const deploymentNum = world.run.deploymentNum + 1;
    const count = world.run.desiredReplicas['0'] ?? 0;
    const sized = { ...world.run.spec.configuration, replicas: { min: count, max: count } };
    world.run = { ...world.run, spec: { ...world.run.spec, configuration: sized } as never };
    const state = startedRollout(world.run, deploymentNum);
    const configuration = { ...world.run.spec.configuration, env: { V: env }, rollout };
    const spec = { ...world.run.spec, configuration } as never;
    world.run = { ...world.run, spec, deploymentNum, rollout: state };
    const build = world.buildJobs;
    world.buildJobs = (run, ...rest) => {
      const env = run.spec.configuration.env as Record<string, string> | undefined;
      return build(run, ...rest).map((one) => (env === undefined ? one : { ...one, env }));
    };
    world.pass();
  }
  const deployments = (world: World) =>
    alive(world)
      .map((job) => job.deploymentNum)
      .sort();
  const crash = (world: World) => {
    for (const job of alive(world)) {
      if (job.deploymentNum === 1 && job.status === 'running') world.exit(job.id, 7);
    }
    world.pass();
  };
  /** Lets time pass from one due pass to the next. */
  const wait = (world: World, seconds: number, step = () => {}) => {
    const end = world.now + seconds * 1_000_000;
    while (world.now < end) {
      world.now = Math.min(end, Math.max(world.run.nextPassAt ?? end, world.now + 1));
      world.pass();
      step();
    }
  };

  test('is done once every replica has proved to work', () => {
    const world = service();
    update(world);
    for (let i = 0; i < 4; i++) {
      placeAll(world);
      world.later(10).pass();
      obey(world);
    }
    expect(deployments(world)).toEqual([1, 1]);
    expect(world.run.rollout).toMatchObject({ status: 'done', ready: 2 });
    expect(world.run.rollout?.previous?.deploymentNum).toBe(0);
  });

  test('that only crashes is rolled back at its deadline, while the old replicas serve', () => {
    const world = service();
    update(world, { deadline: 120 });
    let isBack = false;
    placeAll(world);
    crash(world);
    wait(world, 119, () => {
      placeAll(world);
      crash(world);
      expect(alive(world).filter((job) => job.deploymentNum === 0 && job.ready)).toHaveLength(2);
    });
    expect(world.run.rollout?.status).toBe('progressing');
    wait(world, 2, () => {
      isBack ||= world.run.deploymentNum === 2;
    });
    expect(isBack).toBe(true);
    obey(world);
    expect(deployments(world)).toEqual([2, 2]);
    expect(alive(world).map((job) => job.id)).toEqual(['job-0', 'job-1']);
    expect(world.run.rollout).toMatchObject({
      ...{ status: 'rolled_back', message: 'no further replica was ready within 2m' },
    });
    expect(world.events).toContain(
      'Deployment 1 rolled back: no further replica was ready within 2m. ' +
        'Deployment 2 has the configuration of 0',
    );
    wait(world, 500);
    expect(world.run.deploymentNum).toBe(2);
  });

  test('that never gets ready is rolled back, and replicas that were replaced come back', () => {
    const world = service({ spec: { probes: [{ ready_after: 1 }] as never } });
    for (const id of ['job-0', 'job-1']) world.jobs.set(id, { ...world.job(id), ready: true });
    world.pass();
    update(world, { deadline: 60, surge: 0, max_unavailable: 1 });
    obey(world);
    placeAll(world);
    expect(deployments(world)).toEqual([0, 1]);
    wait(world, 61);
    obey(world);
    placeAll(world);
    expect(deployments(world)).toEqual([2, 2]);
    expect(world.run.rollout?.status).toBe('rolled_back');
  });

  test('does not count the time for which it waits for a machine', () => {
    const world = service();
    update(world, { deadline: 60 });
    wait(world, 3600);
    expect(world.run.rollout?.status).toBe('progressing');
    placeAll(world, false);
    wait(world, 300);
    expect(world.run.rollout?.status).toBe('progressing');
  });

  test('that no fleet could ever take is rolled back, unlike one that waits for a full fleet', () => {
    const fleet = { fleet: 'lab', pool: [], growth: null };
    const place = (verdict: 'never' | 'full'): NonNullable<JobRecord['refusal']> => ({
      ...{ kind: 'no-place', nodes: 1, selected: false, fleets: [{ ...fleet, verdict }] },
    });
    for (const [refusal, status] of [
      [place('never'), 'rolled_back'],
      [place('full'), 'progressing'],
      [{ kind: 'no-fleets' }, 'rolled_back'],
    ] as const) {
      const world = service();
      update(world, { deadline: 60 });
      for (const job of alive(world)) {
        if (job.status !== 'submitted') continue;
        world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
      }
      world.pass();
      wait(world, 59);
      expect(world.run.rollout?.status).toBe('progressing');
      wait(world, 3);
      expect(world.run.rollout?.status).toBe(status);
      expect(alive(world).filter((job) => job.id.startsWith('job-') && job.ready)).toHaveLength(2);
    }
  });

  test('counts again from every replica that has become ready, and not at all without a deadline', () => {
    for (const [deadline, status] of [
      [60, 'rolled_back'],
      ['off', 'progressing'],
    ] as const) {
      const world = service({ groups: { '0': 3 } });
      update(world, { deadline });
      placeAll(world);
      wait(world, 30);
      expect(world.run.rollout?.ready).toBe(1);
      const ready = world.now;
      wait(world, 5000, () => {
        obey(world);
        placeAll(world);
        for (const job of alive(world).filter((one) => one.runningAt === world.now)) {
          world.exit(job.id, 1);
        }
        world.pass();
        if (world.run.rollout?.status === 'rolled_back') {
          expect(world.now).toBeGreaterThanOrEqual(ready + 30_000_000);
        }
      });
      expect(world.run.rollout?.status).toBe(status);
    }
  });

  test.each([
    [{ surge: 3 }, 6, 3],
    [{ surge: 0, max_unavailable: 2 }, 3, 1],
    [{ surge: 1, max_unavailable: 1 }, 4, 2],
  ])('with %j runs at most %i replicas, at least %i of them serving', (rollout, most, least) => {
    const world = service({ groups: { '0': 3 } });
    update(world, rollout);
    for (let step = 0; step < 12; step++) {
      expect(alive(world).length).toBeLessThanOrEqual(most);
      const serving = alive(world).filter((job) => job.registered);
      expect(serving.length).toBeGreaterThanOrEqual(least);
      obey(world);
      placeAll(world);
      world.later(5).pass();
    }
    expect(deployments(world)).toEqual([1, 1, 1]);
    expect(world.run.rollout?.status).toBe('done');
  });

  test.each([1, 3])('with %i replicas holds at its canary until it is resumed', (count) => {
    const world = service({ groups: { '0': count } });
    update(world, { canary: 1, hold: true, deadline: 60 });
    for (let i = 0; i < 3; i++) {
      placeAll(world);
      wait(world, 20);
      obey(world);
    }
    expect(world.run.rollout?.status).toBe('holding');
    const old = Math.max(1, count - 1);
    expect(deployments(world)).toEqual([...Array<number>(old).fill(0), 1]);
    wait(world, 5000);
    expect(world.run.rollout?.status).toBe('holding');
    const resumed = resumeRollout(world.run, USER_1, world.now);
    world.run = { ...world.run, ...resumed?.set };
    world.pass();
    for (let i = 0; i < 6; i++) {
      placeAll(world);
      wait(world, 20);
      obey(world);
    }
    expect(deployments(world)).toEqual(Array<number>(count).fill(1));
    expect(world.run.rollout?.status).toBe('done');
  });

  test('with a canary and no hold continues by itself', () => {
    const world = service({ groups: { '0': 2 } });
    update(world, { canary: 1 });
    for (let i = 0; i < 5; i++) {
      placeAll(world);
      wait(world, 20);
      obey(world);
    }
    expect(deployments(world)).toEqual([1, 1]);
  });

  test('that is paused replaces nothing', () => {
    const world = service();
    update(world);
    world.run = { ...world.run, ...pauseRollout(world.run, USER_1)?.set };
    placeAll(world);
    wait(world, 5000);
    expect(deployments(world)).toEqual([0, 0, 1]);
    expect(world.run.rollout?.status).toBe('paused');
    expect(pauseRollout(world.run, USER_1)).toBeNull();
  });

  test('can be undone, and undone again', () => {
    const world = service();
    update(world);
    for (const number of [2, 3]) {
      const undone = rollback(world.run, 'requested by ann', USER_1);
      world.run = { ...world.run, ...undone?.set };
      world.pass();
      for (let i = 0; i < 4; i++) {
        placeAll(world);
        wait(world, 20);
        obey(world);
      }
      expect(deployments(world)).toEqual([number, number]);
    }
    expect(world.run.spec.configuration.env).toEqual({ V: 'new' });
  });

  test('that another update interrupts returns to the last complete version', () => {
    const world = service();
    update(world, { deadline: 60 }, 'first');
    update(world, { deadline: 60 }, 'second');
    expect(world.run.rollout?.previous?.deploymentNum).toBe(0);
  });
});
