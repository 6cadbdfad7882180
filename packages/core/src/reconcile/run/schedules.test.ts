import { describe, expect, test } from 'vitest';
import { placeAll } from '../testing/services.ts';
import { World } from '../testing/world.ts';

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

  test('a firing that a server with a wrong clock stored too far ahead is computed anew', () => {
    const world = scheduled();
    const first = world.run.nextTriggeredAt;
    world.run = { ...world.run, nextTriggeredAt: world.now + 120 * MINUTE };
    world.pass();
    expect(world.run.nextTriggeredAt).toBe(first);
    expect(world.run.nextPassAt).toBe(first);
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

  test('ends when a user stops it', () => {
    const world = scheduled();
    world.stop();
    world.pass();
    expect(world.run.status).toBe('terminated');
  });
});
