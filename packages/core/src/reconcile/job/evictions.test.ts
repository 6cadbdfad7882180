/** Jobs that have to leave for a gang that is entitled to their places. */
import { expect, it } from 'vitest';
import type { JobRecord } from '../../model/index.ts';
import { aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const REASON = 'interrupted_by_no_capacity';
const SECOND = 1_000_000;

function victim(isRunning = true): World {
  const instance = anInstance({ id: 'inst-0', name: 'lab-0', busyBlocks: 1, backend: 'remote' });
  const job = placedJob(instance, { id: 'job-0', jobNum: 0, spec: aJobSpec({}) });
  const world = new World({ jobs: [job], instances: [instance], hosts: [aHost({ id: 'inst-0' })] });
  world.pass();
  if (isRunning) world.running('job-0');
  world.pass();
  world.events.length = 0;
  return world;
}

/** Placement has stored the request; the gang that asked waits. */
function ask(world: World, seconds = 60): World {
  const job = world.job('job-0');
  const eviction: JobRecord['eviction'] = {
    ...{ runId: 'asker', replicaNum: 0, kind: 'reclaim' },
    ...{ requestedAt: world.now, seconds },
  };
  world.jobs.set(job.id, { ...job, version: job.version + 1, eviction });
  world.askers = new Set(['asker 0']);
  world.pass();
  return world;
}

it('it gets notice, is interrupted at half of the time, and is submitted again without retry', () => {
  const world = ask(victim());
  expect(world.job('job-0').notice).toEqual({
    message: 'another project takes back capacity that it is guaranteed',
    requestedAt: world.now,
    interruptAt: world.now + 30 * SECOND,
    endsAt: world.now + 60 * SECOND,
  });
  expect(world.run.status).toBe('running');
  world.settle('job.notice:job-0:0', { kind: 'ok' });
  const { queuedAt } = world.job('job-0');
  world.later(31).exit('job-0', 130, REASON);
  world.pass();
  expect(world.job('job-0')).toMatchObject({ status: 'failed', terminationReason: REASON });
  const next = world.latest();
  expect(next).toMatchObject({ status: 'submitted', queuedAt, resumeCount: 1, eviction: null });
  expect(next.id).not.toBe('job-0');
});

it('it may stay once the gang that asked has a place or waits no more', () => {
  const world = ask(victim());
  world.settle('job.notice:job-0:0', { kind: 'ok' });
  world.askers = new Set();
  world.pass();
  expect(world.job('job-0').eviction).toBeNull();
  expect(world.announced('job.notice')).toMatchObject([{ payload: { notice: null } }]);
  world.settle('job.notice:job-0:1', { kind: 'ok' });
  world.pass();
  expect(world.job('job-0')).toMatchObject({ status: 'running', notice: null });
  expect(world.events.at(-1)).toContain('Job may stay on its instance');
});

it('it leaves at once if it has not begun: it loses nothing', () => {
  const world = ask(victim(false));
  expect(world.job('job-0')).toMatchObject({ status: 'terminating', terminationReason: REASON });
});
