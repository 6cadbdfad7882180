import type { DependencyCondition } from '@dstack/contract';
import { describe, expect, test } from 'vitest';
import type { Decision, EndOutcome } from '../../model/index.ts';
import { presentOutcome } from '../../placement/eligible/dependencies.ts';
import { aJobSpec } from '../testing/records.ts';
import { running } from '../testing/runs.ts';
import { World } from '../testing/world.ts';
import { releaseRun } from './hold.ts';

interface Dependency {
  readonly on?: DependencyCondition;
  readonly keep?: boolean;
  readonly outcome?: EndOutcome | null;
}

function dependent(...dependencies: readonly Dependency[]): World {
  const world = new World({ run: { status: 'pending', dependencyState: 'open' } });
  world.dependencies = dependencies.map(({ on = 'success', keep = false, outcome = null }, n) => ({
    ...{ upstreamId: `up-${n}`, name: `prepare-${n}`, on, keep, outcome },
  }));
  return world;
}

function ends(world: World, number: number, outcome: EndOutcome): Decision {
  world.dependencies = world.dependencies.map((one, n) =>
    n === number ? { ...one, outcome } : one,
  );
  return world.pass();
}

describe('a run that depends on others', () => {
  test('has no jobs, no timer and nothing to do until they have ended', () => {
    const world = dependent({}, {});
    expect(world.pass().changes).toEqual([]);
    ends(world, 0, 'success');
    expect(world.run).toMatchObject({ status: 'pending', nextPassAt: null });
    expect(world.jobs.size).toBe(0);
    expect(world.later(3600).pass().changes).toEqual([]);
  });

  test('enters the queue with the last of them, and its age counts from then', () => {
    const world = dependent({}, { on: 'end' });
    ends(world, 0, 'success');
    const at = world.later(3600).now;
    ends(world, 1, 'failure');
    expect(world.run).toMatchObject({
      status: 'submitted',
      dependencyState: 'met',
      eligibleAt: at,
    });
    expect(world.latest()).toMatchObject({ status: 'submitted', queuedAt: at });
    expect(world.events).toContain('All runs that it depends on have ended');
  });

  test('waits for a place no longer than its `retry` allows', () => {
    const world = dependent({});
    const retry = { on_events: ['no-capacity' as const], duration: 3600 };
    world.buildJobs = () => [aJobSpec({ retry })];
    ends(world, 0, 'success');
    const job = world.latest();
    const refusal = { kind: 'no-fleets' } as const;
    world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
    world.pass();
    world.later(3000).pass();
    expect(world.run.status).toBe('submitted');
    world.later(1000).pass();
    expect(world.run.status).toBe('failed');
  });

  test('waits for a place for as long as it takes, since its user may not be there when its turn comes', () => {
    const world = dependent({});
    ends(world, 0, 'success');
    const job = world.latest();
    const refusal = { kind: 'no-fleets' } as const;
    world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
    world.pass();
    world.later(86_400).pass();
    expect(world.latest()).toMatchObject({ id: job.id, status: 'submitted' });
    expect(world.run.status).toBe('submitted');
  });

  test.each<[DependencyCondition, EndOutcome, string]>([
    ['success', 'success', 'submitted'],
    ['success', 'failure', 'failed'],
    ['end', 'success', 'submitted'],
    ['end', 'failure', 'submitted'],
    ['failure', 'success', 'failed'],
    ['failure', 'failure', 'submitted'],
  ])('on %s is %s of the other run: it is %s', (on, outcome, status) => {
    const world = dependent({ on }, {});
    world.dependencies = world.dependencies.slice(0, 1);
    ends(world, 0, outcome);
    expect(world.run.status).toBe(status);
  });

  test('fails at once when one of them can no longer come true, whatever the others do', () => {
    const world = dependent({}, {});
    const { changes } = ends(world, 1, 'failure');
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'server_error' });
    expect(world.jobs.size).toBe(0);
    expect(world.events).toContain(
      'Run cannot start: it depends on the success of run prepare-1, which has failed',
    );
    // Those that depend on it learn that in the same transaction.
    expect(changes).toContainEqual({ type: 'run.outcome', id: 'run-1', outcome: 'failure' });
  });

  test('waits instead with `keep`, until it is released or stopped', () => {
    const world = dependent({ keep: true });
    ends(world, 0, 'failure');
    expect(world.run).toMatchObject({ status: 'pending', dependencyState: 'unmet' });
    expect(world.later(3600).pass().changes).toEqual([]);
    const request = { actor: null, now: world.now };
    world.apply(releaseRun(world.run, request) as Decision);
    world.pass();
    expect(world.run).toMatchObject({ status: 'submitted', eligibleAt: world.now });
    const stopped = dependent({ keep: true });
    ends(stopped, 0, 'failure');
    stopped.stop().pass();
    expect(stopped.run.status).toBe('terminated');
  });

  test('does not wait with `keep` of one for another that can no longer come true', () => {
    const world = dependent({ keep: true }, {});
    ends(world, 0, 'failure');
    expect(world.run).toMatchObject({ status: 'pending', dependencyState: 'unmet' });
    ends(world, 1, 'failure');
    expect(world.run).toMatchObject({ status: 'failed', terminationReason: 'server_error' });
    expect(world.events).toContain(
      'Run cannot start: it depends on the success of run prepare-1, which has failed',
    );
  });

  test('stays held when they have ended, and starts with its release', () => {
    const world = dependent({});
    world.run = { ...world.run, hold: { by: 'ann', since: world.now } };
    ends(world, 0, 'success');
    expect(world.run).toMatchObject({ status: 'pending', dependencyState: 'open' });
    const request = { actor: null, now: world.now };
    world.apply(releaseRun(world.run, request) as Decision);
    world.pass();
    expect(world.run.status).toBe('submitted');
  });

  test('is never released from dependencies that are open', () => {
    const world = dependent({});
    expect(releaseRun(world.run, { actor: null, now: world.now })).toBeNull();
  });
});

describe('the end of a run', () => {
  const outcomes = ({ changes }: Decision) =>
    changes.flatMap((one) => (one.type === 'run.outcome' ? [one.outcome] : []));

  test.each([
    [0, 'success'],
    [1, 'failure'],
  ] as const)('with exit status %d is a %s, which is part of its last change', (exit, outcome) => {
    expect(outcomes(running().exit('job-1', exit).pass())).toEqual([outcome]);
  });

  test('is its final end: a retry is none', () => {
    const world = running({ retry: { on_events: ['error'], duration: 3600 } });
    expect(outcomes(world.exit('job-1', 1).pass())).toEqual([]);
  });

  test('of an execution of a schedule is kept for runs that are submitted before the next', () => {
    const world = running();
    world.nextFire = (_cron, after) => after + 1;
    const configuration = { ...world.run.spec.configuration, schedule: { cron: '* * * * *' } };
    world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
    expect(outcomes(world.exit('job-1', 1).pass())).toEqual(['failure']);
    expect(world.run).toMatchObject({ status: 'pending', lastOutcome: 'failure' });
    expect(presentOutcome(world.run)).toBe('failure');
    expect(presentOutcome({ ...world.run, status: 'running' })).toBeNull();
  });
});
