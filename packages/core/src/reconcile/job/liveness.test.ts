import type { JobSpec } from '@dstack/contract/wire';
import { describe, expect, test } from 'vitest';
import { aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const LIVENESS: NonNullable<JobSpec['liveness']> = {
  ...{ url: '/health', method: 'get', headers: [], body: null },
  ...{ timeout: 5, interval: 10, failures: 3, start_period: 60 },
};

/** One replica, without `retry`. */
function service(liveness: typeof LIVENESS | null = LIVENESS) {
  const instance = anInstance({ busyBlocks: 1 });
  const spec = aJobSpec({ retry: null, ...(liveness && { liveness }) });
  const world = new World({
    instances: [instance],
    jobs: [placedJob(instance, { id: 'job-1', spec })],
    hosts: [aHost()],
  });
  const configuration = { type: 'service', port: 8000, replicas: null, groups: null, liveness };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  world.running('job-1').pass();
  return world;
}

/** The probe of the newest submission fails this many times; its process is killed. */
function failing(world: World, failures: number, id = world.latest().id) {
  world.livenessFailures = { [id]: failures };
  world.pass();
  return world;
}

describe('a replica whose liveness probe fails too often', () => {
  test('is killed and started again, also without `retry`, and events report why', () => {
    const world = failing(service(), 3);
    expect(world.job('job-1')).toMatchObject({
      ...{ status: 'terminating', terminationReason: 'liveness_probe_failed' },
      ...{ stopGraceful: false, terminationMessage: 'GET /health failed 3 times in a row' },
    });
    expect(world.events.join('\n')).toContain('GET /health failed 3 times in a row');
    world.exit('job-1', 137).pass();
    expect(world.job('job-1')).toMatchObject({ status: 'failed' });
    world.later(2).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, attempt: 1, status: 'submitted' });
  });

  test('waits longer before each further start, up to a limit', () => {
    const waits = [1, 2, 5, 9, 12].map((attempt) => {
      const world = service();
      world.jobs.set('job-1', { ...world.job('job-1'), attempt: attempt - 1 });
      failing(world, 3).exit('job-1', 137).pass();
      return Math.round(((world.run.nextPassAt ?? 0) - world.now) / 1_000_000);
    });
    const expected = [1, 2, 16, 256, 300];
    for (const [n, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual((expected[n] ?? 0) * 0.8 - 1);
      expect(wait).toBeLessThanOrEqual((expected[n] ?? 0) * 1.2 + 1);
    }
  });

  test('keeps running before that, and if the probe was removed', () => {
    expect(failing(service(), 2).job('job-1').status).toBe('running');
    expect(failing(service(null), 3).job('job-1').status).toBe('running');
  });
});
