import { describe, expect, it } from 'vitest';
import { jobStatusMessage } from '../../status/index.ts';
import { aFleet, aHost, aJobSpec, anInstance, placedJob, T0 } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const SECOND = 1_000_000;
const HOUR = 3600;
const after = (seconds: number): number => T0 + seconds * SECOND;

interface Options {
  readonly spec?: Parameters<typeof aJobSpec>[0];
  readonly isRunning?: boolean;
  /** Seconds from the beginning of the story on. */
  readonly since?: number;
  readonly startsIn?: number;
}

/** A task without `retry` on a fleet that will be in maintenance in an hour, for four hours. */
function task({ spec = {}, isRunning = true, since = 0, startsIn = HOUR }: Options = {}): World {
  const instance = anInstance({ name: 'lab-0', busyBlocks: 1, backend: 'remote' });
  const jobs = [placedJob(instance, { spec: aJobSpec(spec) })];
  const startsAt = after(startsIn);
  const maintenance = {
    ...{ since: after(since), startsAt, endsAt: startsAt + 4 * HOUR * SECOND, hasBegun: false },
  };
  const world = new World({ jobs, instances: [instance], hosts: [aHost()] });
  world.pass();
  if (isRunning) world.running('job-1').pass();
  world.events.length = 0;
  world.fleet = aFleet({}, { name: 'lab', maintenance });
  world.pass();
  return world;
}

const withdraw = (world: World): World => {
  world.fleet = { ...world.fleet, maintenance: null, version: world.fleet.version + 1 };
  world.pass();
  return world;
};

const deliver = (world: World, attempt = 0): World => {
  world.settle(`job.notice:job-1:${attempt}`, { kind: 'ok' });
  world.pass();
  return world;
};

describe('a running job on a fleet before its maintenance', () => {
  it('gets notice, goes on, and is interrupted in the last minute before the window', () => {
    const world = task();
    expect(world.job('job-1').notice).toMatchObject({
      interruptAt: after(HOUR - 30),
      endsAt: after(HOUR),
    });
    expect(world.job('job-1').notice?.message).toMatch(
      /^fleet lab is in maintenance from .* to .*/,
    );
    expect(world.run.status).toBe('running');
    expect(jobStatusMessage(world.job('job-1'))).toBe('running (has to leave)');
  });

  it('may stay when the window is cancelled', () => {
    const world = deliver(withdraw(deliver(task())), 1);
    expect(world.job('job-1').notice).toBeNull();
    expect(world.run.status).toBe('running');
  });

  it('gets none if its max_duration and stop_duration end it before', () => {
    const world = task({ spec: { max_duration: 3000, stop_duration: 300 } });
    expect(world.job('job-1').notice).toBeNull();
    expect(
      task({ spec: { max_duration: 3400, stop_duration: 300 } }).job('job-1').notice,
    ).not.toBeNull();
  });

  it('has a grace of a minute where the server was down when the window began', () => {
    const world = task({ startsIn: -600 });
    expect(world.job('job-1').notice).toMatchObject({ interruptAt: after(30), endsAt: after(60) });
  });
});

describe('a job that has not begun on a fleet before its maintenance', () => {
  it('is submitted again at once, and waits without `retry`', () => {
    const world = task({ isRunning: false });
    expect(world.job('job-1')).toMatchObject({
      ...{ status: 'terminating', terminationReason: 'interrupted_by_no_capacity' },
    });
  });

  it('stays as long as it would end in time', () => {
    const world = task({ isRunning: false, spec: { max_duration: 3000, stop_duration: 300 } });
    expect(world.job('job-1').status).toBe('provisioning');
    expect(world.run.nextPassAt).not.toBeNull();
    world.later(299).pass();
    expect(world.job('job-1').status).toBe('provisioning');
    world.later(2).pass();
    expect(world.job('job-1').status).toBe('terminating');
  });
});
