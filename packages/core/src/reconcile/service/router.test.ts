import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../model/index.ts';
import { aHost, aJob, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

/** A router that waits for a place, and a worker whose machine is there. */
function withRouter(type: 'dynamo' | 'sglang' = 'dynamo') {
  const instance = anInstance({ id: 'inst-1', busyBlocks: 1 });
  const spec = { retry: null, replica_num: 1, replica_group: 'worker' };
  const router = aJob({ id: 'router', spec: aJobSpec({ retry: null, replica_group: 'router' }) });
  const worker = placedJob(instance, { id: 'worker', replicaNum: 1, spec: aJobSpec(spec) });
  const world = new World({
    jobs: [router, worker],
    instances: [instance],
    hosts: [aHost({ id: 'inst-1' })],
    run: { desiredReplicas: { router: 1, worker: 1 } },
  });
  const replicas = { min: 1, max: 1 };
  const groups = [
    { name: 'router', replicas, router: { type } },
    { name: 'worker', replicas },
  ];
  const configuration = { type: 'service', port: 8000, groups };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  world.pass();
  return world;
}

function change(world: World, id: string, set: Partial<JobRecord>) {
  const job = world.job(id);
  world.jobs.set(id, { ...job, ...set, version: job.version + 1 });
  world.pass();
}

const started = (world: World) => world.announced('job.start').map((one) => one.subjectId);

function placeRouter(world: World) {
  const instance = anInstance({ id: 'inst-0', busyBlocks: 1 });
  world.instances.set(instance.id, instance);
  const { provisioningData, runtimeData } = placedJob(instance);
  change(world, 'router', {
    ...{ status: 'provisioning', instanceId: 'inst-0', claimedBlocks: 1 },
    ...{ provisioningData, runtimeData, provisionedAt: world.now },
  });
}

describe('a worker of Dynamo', () => {
  test('starts once its router has an address', () => {
    const world = withRouter();
    expect(started(world)).toEqual([]);
    placeRouter(world);
    expect(started(world)).toEqual(['worker']);
  });

  test('has its whole time to start after it has waited long for its router', () => {
    const world = withRouter();
    world.later(1700).pass();
    placeRouter(world);
    expect(world.job('worker')).toMatchObject({ status: 'provisioning' });
    expect(started(world)).toEqual(['worker']);
  });

  test('ends if its router has no address within half an hour', () => {
    const world = withRouter();
    world.later(1800).pass();
    expect(world.job('worker')).toMatchObject({ terminationReason: 'terminated_by_server' });
  });

  test('ends with its router', () => {
    const world = withRouter();
    change(world, 'router', { status: 'failed', terminationReason: 'executor_error' });
    expect(started(world)).toEqual([]);
    expect(world.job('worker').terminationReason).toBe('terminated_by_server');
  });
});

test('workers of another router start at once', () => {
  expect(started(withRouter('sglang'))).toEqual(['worker']);
});
