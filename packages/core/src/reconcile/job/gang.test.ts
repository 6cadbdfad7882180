import { describe, expect, test } from 'vitest';
import { aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

interface Options {
  readonly nodes?: number;
  readonly configuration?: Record<string, unknown>;
  readonly spec?: Parameters<typeof aJobSpec>[0];
}

/** A task whose nodes were placed on one instance each. */
function gang({ nodes = 2, configuration = {}, spec = {} }: Options = {}) {
  const nums = Array.from({ length: nodes }, (_, n) => n);
  const instances = nums.map((n) => anInstance({ id: `inst-${n}`, busyBlocks: 1, instanceNum: n }));
  const jobs = nums.map((n) =>
    placedJob(instances[n]!, {
      id: `job-${n}`,
      jobNum: n,
      spec: aJobSpec({ ...spec, job_num: n, jobs_per_replica: nodes }),
    }),
  );
  const world = new World({ jobs, instances, hosts: nums.map((n) => aHost({ id: `inst-${n}` })) });
  const merged = { ...world.run.spec.configuration, ...configuration };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration: merged } as never };
  return world;
}

const released = (world: World) =>
  world
    .announced('job.release')
    .map((i) => i.subjectId)
    .sort();

/** Sets the address of the job's instance, as its backend reports it. The job itself has none. */
function setAddress(world: World, jobId: string, ip: string | null) {
  const job = world.job(jobId);
  const instance = world.instance(job.instanceId ?? '');
  const data = instance.provisioningData;
  const at = (address: string | null) =>
    data && { ...data, hostname: address, internal_ip: address };
  world.instances.set(instance.id, { ...instance, provisioningData: at(ip) });
  world.jobs.set(jobId, { ...job, provisioningData: at(null) });
}

function hold(world: World, ...ids: string[]) {
  for (const id of ids) world.report(id, { phase: 'held' });
  world.pass();
}

describe('nodes of one replica', () => {
  test('are pulled early, held, and start together once all have an address', () => {
    const world = gang({ nodes: 3 });
    const { provisioningData } = world.job('job-2');
    setAddress(world, 'job-2', null);
    world.pass();
    expect(
      world.announced('job.start').every((i) => i.payload.kind === 'job.start' && i.payload.hold),
    ).toBe(true);
    hold(world, 'job-0', 'job-1', 'job-2');
    expect(world.job('job-0').status).toBe('pulling');
    expect(released(world)).toEqual([]);
    setAddress(world, 'job-2', provisioningData?.hostname ?? '');
    world.pass();
    expect(released(world)).toEqual(['job-0', 'job-1', 'job-2']);
    world.pass();
    expect(released(world)).toHaveLength(3);
  });

  test('wait for the one whose image is still being pulled', () => {
    const world = gang();
    hold(world, 'job-0');
    world.report('job-1', { phase: 'pulling' });
    world.pass();
    expect(released(world)).toEqual([]);
    hold(world, 'job-1');
    expect(released(world)).toEqual(['job-0', 'job-1']);
  });

  test('end if one of them cannot be ordered to start', () => {
    const world = gang();
    hold(world, 'job-0', 'job-1');
    const refused = { kind: 'refused', reason: 'terminated_by_server', message: 'gone' } as const;
    world.settle('job.release:job-1:0', refused);
    world.pass();
    expect(world.job('job-1')).toMatchObject({
      terminationReason: 'terminated_by_server',
      terminationMessage: 'gone',
    });
  });

  test('start with the master first if configured', () => {
    const world = gang({ configuration: { startup_order: 'master-first' } });
    hold(world, 'job-0', 'job-1');
    expect(released(world)).toEqual(['job-0']);
    world.running('job-0').pass();
    expect(released(world)).toEqual(['job-0', 'job-1']);
  });

  test('start with the workers first if configured', () => {
    const world = gang({ configuration: { startup_order: 'workers-first' } });
    hold(world, 'job-0', 'job-1');
    expect(released(world)).toEqual(['job-1']);
    world.running('job-1').pass();
    expect(released(world)).toEqual(['job-0', 'job-1']);
  });

  test('all end when the master is done, if that is the criterion', () => {
    const world = gang({ configuration: { stop_criteria: 'master-done' } });
    world.running('job-0').running('job-1').pass();
    world.exit('job-0', 0).pass();
    expect(world.run).toMatchObject({ status: 'terminating', terminationReason: 'all_jobs_done' });
    expect(world.job('job-1').terminationReason).toBe('done_by_runner');
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: false });
    world.exit('job-1', 137).pass();
    expect(world.run.status).toBe('done');
    expect(world.job('job-1').status).toBe('done');
  });

  test('otherwise the run waits for all of them', () => {
    const world = gang();
    world.running('job-0').running('job-1').pass();
    world.exit('job-0', 0).pass();
    expect(world.run.status).toBe('running');
    world.exit('job-1', 0).pass();
    expect(world.run.status).toBe('done');
  });

  test('a failure of one ends the others and the run', () => {
    const world = gang();
    world.running('job-0').running('job-1').pass();
    world.exit('job-1', 1).pass();
    expect(world.run).toMatchObject({ status: 'terminating', terminationReason: 'job_failed' });
    expect(world.job('job-0')).toMatchObject({
      status: 'terminating',
      terminationReason: 'terminated_by_server',
      stopGraceful: true,
    });
    world.exit('job-0', 130).pass();
    expect(world.run.status).toBe('failed');
    expect(world.job('job-0').status).toBe('terminated');
  });

  test('a node that cannot be provisioned releases the others without a process', () => {
    const world = gang();
    const job = world.job('job-1');
    world.jobs.set('job-1', {
      ...job,
      status: 'terminating',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      instanceId: null,
      claimedBlocks: 0,
    });
    world.hosts.clear();
    world.pass();
    expect(world.run.status).toBe('failed');
    expect(world.job('job-0').instanceId).toBeNull();
    expect(world.announced('job.start')).toEqual([]);
  });

  test('are retried as a whole, each with the next number', () => {
    const retry = { on_events: ['error' as const], duration: 3600 };
    const world = gang({ spec: { retry } });
    world.running('job-0').running('job-1').pass();
    world.exit('job-1', 1).pass();
    expect(world.run.status).toBe('pending');
    expect(world.job('job-0').terminationReason).toBe('terminated_by_server');
    world.later(20).pass();
    expect(world.jobs.size).toBe(2);
    world.exit('job-0', 130).pass();
    world.later(15).pass();
    expect(world.run.status).toBe('submitted');
    expect([world.latest(0, 0).submissionNum, world.latest(0, 1).submissionNum]).toEqual([1, 1]);
  });
});

describe('addresses in commands', () => {
  const reference = (text: string) => ({ commands: ['/bin/sh', '-c', `join \${{ ${text} }}`] });

  test('delay a replica of a service until the replica that they mean has been placed', () => {
    const instances = ['a', 'b'].map((id) => anInstance({ id, busyBlocks: 1 }));
    const jobs = instances.map((instance, n) =>
      placedJob(instance, {
        id: `job-${n}`,
        replicaNum: n,
        spec: aJobSpec({
          replica_num: n,
          replica_group: n === 0 ? 'head' : 'work',
          ...(n === 0 ? {} : reference('groups[0].replicas[0].IP_ADDRESS')),
        }),
      }),
    );
    const world = new World({ jobs, instances, hosts: [aHost({ id: 'a' }), aHost({ id: 'b' })] });
    const groups = ['head', 'work'].map((name) => ({ name, replicas: { min: 1, max: 1 } }));
    const configuration = { type: 'service', groups };
    const spec = { ...world.run.spec, configuration } as never;
    world.run = { ...world.run, spec, desiredReplicas: { head: 1, work: 1 } };
    setAddress(world, 'job-0', null);
    world.pass();
    const holds = world
      .announced('job.start')
      .map(({ subjectId, payload }) => [subjectId, payload.kind === 'job.start' && payload.hold]);
    expect(Object.fromEntries(holds)).toEqual({ 'job-0': false, 'job-1': true });
    hold(world, 'job-1');
    expect(released(world)).toEqual([]);
    setAddress(world, 'job-0', '10.0.0.7');
    world.pass();
    expect(released(world)).toEqual(['job-1']);
  });
});
