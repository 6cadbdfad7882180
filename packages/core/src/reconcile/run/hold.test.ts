import { describe, expect, test } from 'vitest';
import { aJob, aJobSpec } from '../testing/records.ts';
import { onNewInstance, running } from '../testing/runs.ts';
import { placeAll, RETRY } from '../testing/services.ts';
import { World } from '../testing/world.ts';
import { holdRefusal, holdRun, releaseRun } from './hold.ts';

const REQUEST = { actor: null, by: 'ann' };

function hold(world: World): World {
  return written(world, holdRun(world.run, { ...REQUEST, now: world.now }));
}

function release(world: World): World {
  return written(world, releaseRun(world.run, { ...REQUEST, now: world.now }));
}

function written(world: World, requested: ReturnType<typeof holdRun>): World {
  if (requested === null) throw new Error('nothing to change');
  world.apply({ summary: {}, ...requested });
  return world;
}

const waiting = (spec = {}) => new World({ jobs: [aJob({ spec: aJobSpec(spec) })] });

describe('a run that is held', () => {
  test('leaves the queue, and needs no pass until it is released', () => {
    const world = hold(waiting());
    const { signals } = world.pass();
    // The capacity that was kept for it is free for those behind it.
    expect(signals).toContainEqual({ kind: 'capacity', id: 'project:project-1' });
    expect(world.run).toMatchObject({ status: 'pending', hold: { by: 'ann' }, nextPassAt: null });
    expect(world.jobs.size).toBe(0);
    expect(world.pass().changes).toEqual([]);
    expect(world.events).toEqual(['Run held', 'Run status changed SUBMITTED -> PENDING']);
  });

  test('waits in the queue from its release on', () => {
    const world = hold(waiting());
    world.pass();
    const released = world.later(3600).now;
    release(world).pass();
    expect(world.run).toMatchObject({ status: 'submitted', hold: null, eligibleAt: released });
    expect(world.latest()).toMatchObject({ status: 'submitted', queuedAt: released });
    expect(world.latest().submissionNum).toBe(0);
  });

  test('keeps its earlier submissions, and the time does not count for `retry.duration`', () => {
    const world = running({ retry: RETRY });
    world.exit('job-1', 1).pass();
    world.later(2).pass();
    expect(world.latest()).toMatchObject({ status: 'submitted', submissionNum: 1 });
    hold(world).pass();
    expect(world.run.status).toBe('pending');
    expect([...world.jobs.keys()]).toEqual(['job-1']);
    release(world.later(2 * RETRY.duration)).pass();
    expect(world.run.status).toBe('submitted');
    expect(world.latest()).toMatchObject({ status: 'submitted', submissionNum: 1, attempt: 1 });
  });

  test('can be held during the delay of a retry, and ends when it is stopped', () => {
    const world = running({ retry: RETRY });
    world.exit('job-1', 1).pass();
    hold(world).later(600).pass();
    expect(world.run).toMatchObject({ status: 'pending', nextPassAt: null });
    world.stop().pass();
    expect(world.run.status).toBe('terminated');
  });

  test('goes on if it has got its place at the same moment', () => {
    const world = onNewInstance();
    hold(world).pass();
    expect(world.run).toMatchObject({ status: 'submitted', hold: null });
    expect(world.job('job-1').instanceId).toBe('inst-1');
    expect(world.events).toContain('Hold withdrawn: the run has its place already');
  });

  test('starts no work by its schedule, and makes up for no start afterwards', () => {
    const MINUTE = 60_000_000;
    const world = new World({
      run: { status: 'pending' },
      nextFire: (_cron, after) => (Math.floor(after / MINUTE) + 1) * MINUTE,
    });
    const configuration = { ...world.run.spec.configuration, schedule: { cron: '* * * * *' } };
    world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
    world.pass();
    hold(world).later(600).pass();
    expect(world.jobs.size).toBe(0);
    release(world).pass();
    expect(world.jobs.size).toBe(0);
    expect(world.run.nextTriggeredAt).toBeGreaterThan(world.now);
    world.now = world.run.nextTriggeredAt ?? 0;
    world.pass();
    expect(world.run.status).toBe('submitted');
    // The start that waits in the queue now is kept.
    hold(world).later(90).pass();
    expect(world.jobs.size).toBe(0);
    release(world).pass();
    expect(world.run.status).toBe('submitted');
    placeAll(world);
  });
});

test('those who were asked to leave for a held run may stay', () => {
  const reclaim = { since: 1, runs: ['run-other'], instances: ['inst-9'] };
  const world = hold(new World({ jobs: [aJob({ reclaim })] }));
  expect(world.pass().signals).toContainEqual({ kind: 'run', id: 'run-other' });
});

test('a held start of a schedule is no retry of the start before, which failed', () => {
  const MINUTE = 60_000_000;
  const world = new World({
    run: { status: 'pending' },
    nextFire: (_cron, after) => (Math.floor(after / MINUTE) + 1) * MINUTE,
  });
  const configuration = { ...world.run.spec.configuration, schedule: { cron: '* * * * *' } };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  const nextStart = () => {
    world.now = world.run.nextTriggeredAt ?? 0;
    world.pass();
  };
  world.pass();
  nextStart();
  const failed = world.latest();
  const end = { finishedAt: world.now, terminationReason: 'container_exited_with_error' } as const;
  world.jobs.set(failed.id, { ...failed, ...end, status: 'failed', provisionedAt: world.now });
  world.pass();
  expect(world.run).toMatchObject({ status: 'pending', lastOutcome: 'failure' });
  nextStart();
  expect(world.latest()).toMatchObject({ status: 'submitted', submissionNum: 1 });
  hold(world).pass();
  release(world.later(5)).pass();
  expect(world.run.status).toBe('submitted');
  expect(world.latest()).toMatchObject({ status: 'submitted', submissionNum: 1, attempt: 0 });
});

test('only a run that waits can be held, and the refusal contains what it does', () => {
  const busy = running();
  expect(holdRefusal(busy.run, [...busy.jobs.values()])).toBe(
    'Run train is running: only a run that waits can be held',
  );
  const placed = onNewInstance();
  expect(holdRefusal(placed.run, [...placed.jobs.values()])).toBe(
    'Run train has its place already: only a run that waits can be held',
  );
  const free = waiting();
  expect(holdRefusal(free.run, [...free.jobs.values()])).toBeNull();
  expect(holdRun(busy.run, { ...REQUEST, now: 1 })).toBeNull();
  expect(releaseRun(free.run, { ...REQUEST, now: 1 })).toBeNull();
});
