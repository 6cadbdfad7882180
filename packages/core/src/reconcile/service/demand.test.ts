import { describe, expect, test } from 'vitest';
import type { JobRecord } from '../../model/index.ts';
import { aHost, aJobSpec, anInstance, aPlaceholder, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const SECOND = 1_000_000;
const RETRY = { on_events: ['error' as const], duration: 3600 };

interface Options {
  readonly running?: number;
  readonly replicas?: { readonly min: number; readonly max: number };
  readonly scaling?: object;
  readonly spec?: Parameters<typeof aJobSpec>[0];
}

/** A service with this many ready replicas, which existed from the start. */
function service({ running = 1, replicas = { min: 0, max: 5 }, scaling = {}, spec }: Options = {}) {
  const numbers = Array.from({ length: running }, (_, n) => n);
  const instances = numbers.map((n) => anInstance({ id: `inst-${n}`, busyBlocks: 1 }));
  const world = new World({
    instances,
    jobs: numbers.map((n) =>
      placedJob(instances[n]!, {
        id: `job-${n}`,
        replicaNum: n,
        spec: aJobSpec({ ...spec, replica_num: n }),
      }),
    ),
    hosts: numbers.map((n) => aHost({ id: `inst-${n}` })),
    run: { desiredReplicas: { '0': running }, status: running === 0 ? 'pending' : 'submitted' },
  });
  const rule = { metric: 'rps', target: 10, window: null, scale_up_delay: 300 };
  const configuration = {
    ...{ type: 'service', port: 8000, replicas, groups: null },
    scaling: { ...rule, scale_down_delay: 600, ...scaling },
  };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  for (const job of world.jobs.values()) world.running(job.id);
  ask(world, 0);
  return world;
}

/** This many requests came in the last minute. */
function ask(world: World, requests: number) {
  world.requests = { 30: requests / 2, 60: requests, 300: requests };
  world.pass();
}

const wanted = (world: World) => world.run.desiredReplicas['0'];
const alive = (world: World): JobRecord[] =>
  [...world.jobs.values()].filter(
    (job) => job.finishedAt === null && job.terminationReason === null,
  );

describe('a service that scales by demand', () => {
  test.each([3600, 86_400, -3600, -86_400])(
    'takes no replica away because the clock was set by %d s, until it knows the demand again',
    (step) => {
      const world = service({ running: 2 });
      world.later(100_000);
      ask(world, 1200);
      world.jump(step);
      // The requests were counted at other times.
      ask(world, 0);
      expect(wanted(world)).toBe(2);
      world.later(659);
      ask(world, 0);
      expect(wanted(world)).toBe(2);
      world.later(1);
      ask(world, 0);
      expect(wanted(world)).toBe(0);
    },
  );

  test('waits for a place that a request needs, as long as there are requests', () => {
    const world = service({ running: 0, spec: { retry: null } });
    ask(world, 60);
    const [job] = alive(world);
    expect(job?.status).toBe('submitted');
    if (!job) return;
    const refusal = { kind: 'no-fleets' } as const;
    world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
    ask(world, 60);
    expect(world.job(job.id)).toMatchObject({ status: 'submitted', waitingSince: world.now });
    ask(world.later(3600), 0);
    expect(world.job(job.id).terminationReason).toBe('scaled_down');
    expect(world.run.status).toBe('pending');
    ask(world, 60);
    expect(alive(world)).toHaveLength(1);
  });

  test('is tried again if no backend creates the machine that a request needs', () => {
    const world = service({ running: 0, spec: { retry: null } });
    ask(world, 60);
    const job = alive(world)[0]!;
    const placeholder = aPlaceholder(job.id, { id: 'new-machine', busyBlocks: 1 });
    world.instances.set(placeholder.id, placeholder);
    world.jobs.set(job.id, { ...job, instanceId: placeholder.id, claimedBlocks: 1 });
    world.creating(placeholder.id);
    world.settle('instance.create:new-machine:0', { kind: 'no-capacity', message: 'none left' });
    ask(world, 60);
    expect(world.job(job.id)).toMatchObject({
      ...{ status: 'failed', terminationReason: 'failed_to_start_due_to_no_capacity' },
    });
    expect(world.run.status).toBe('pending');
    ask(world.later(2), 60);
    expect(world.latest()).toMatchObject({ status: 'submitted', submissionNum: 1, attempt: 1 });
  });

  test('has as many replicas as the requests of its window want, once the delay is over', () => {
    const world = service();
    ask(world.later(299), 60 * 21);
    expect(wanted(world)).toBe(1);
    ask(world.later(1), 60 * 21);
    expect(wanted(world)).toBe(3);
    expect(alive(world)).toHaveLength(3);
  });

  test('divides the requests among its groups by their ready replicas', () => {
    const world = service({ running: 3, replicas: { min: 1, max: 9 } });
    const { configuration } = world.run.spec as never as { configuration: Record<string, unknown> };
    const { replicas, scaling } = configuration;
    const groups = ['large', 'small'].map((name) => ({ name, replicas, scaling, router: null }));
    world.run = {
      ...world.run,
      spec: { ...world.run.spec, configuration: { ...configuration, groups } } as never,
      desiredReplicas: { large: 2, small: 1 },
    };
    for (const job of [...world.jobs.values()]) {
      const group = job.replicaNum === 2 ? 'small' : 'large';
      world.jobs.set(job.id, { ...job, spec: { ...job.spec, replica_group: group } });
    }
    ask(world.later(300), 60 * 60);
    // Two thirds of 60 requests a second, and one third.
    expect(world.run.desiredReplicas).toEqual({ large: 4, small: 2 });
    // Behind a router each request passes through the groups.
    const [large, small] = groups;
    const behind = { ...configuration, groups: [{ ...large, router: { type: 'smg' } }, small] };
    world.run = { ...world.run, spec: { ...world.run.spec, configuration: behind } as never };
    ask(world.later(300), 60 * 60);
    expect(world.run.desiredReplicas).toEqual({ large: 6, small: 6 });
  });

  test('never has more than its maximum', () => {
    const world = service();
    ask(world.later(300), 60 * 1000);
    expect(wanted(world)).toBe(5);
  });

  test('counts over the window that it names', () => {
    const world = service({ scaling: { window: 300 } });
    world.requests = { 30: 5000, 60: 5000, 300: 300 * 15 };
    world.later(300).pass();
    expect(wanted(world)).toBe(2);
  });

  test('waits again after each change, and longer before it shrinks', () => {
    const world = service();
    ask(world.later(300), 60 * 20);
    ask(world.later(299), 60 * 50);
    expect(wanted(world)).toBe(2);
    ask(world.later(1), 60 * 50);
    expect(wanted(world)).toBe(5);
    ask(world.later(599), 60);
    expect(wanted(world)).toBe(5);
    ask(world.later(1), 60);
    expect(wanted(world)).toBe(1);
    expect(alive(world).map((job) => job.replicaNum)).toEqual([0]);
  });

  test('is examined while there are requests, and when a delay is over, otherwise not', () => {
    const world = service({ running: 2 });
    expect(world.run.nextPassAt).toBe(world.job('job-0').submittedAt + 600 * SECOND);
    ask(world, 60 * 11);
    expect(world.run.nextPassAt).toBe(world.now + 5 * SECOND);
    ask(world.later(600), 0);
    expect(wanted(world)).toBe(0);
  });

  test('goes to zero without requests, and comes back at once for the first request', () => {
    const world = service();
    ask(world.later(600), 0);
    world.exit('job-0', 0).pass();
    expect(world.run).toMatchObject({ status: 'pending', nextPassAt: null });
    ask(world.later(1), 1);
    expect(world.run.status).toBe('submitted');
    expect(world.latest(0)).toMatchObject({ submissionNum: 1, status: 'submitted' });
  });

  test('that begins without replicas waits for the first request', () => {
    const world = service({ running: 0 });
    expect(world.run).toMatchObject({ status: 'pending', nextPassAt: null });
    ask(world, 1);
    expect(wanted(world)).toBe(1);
    expect(alive(world)).toHaveLength(1);
  });

  test('is not delayed by a replica that has crashed and is retried', () => {
    const world = service({ running: 2, replicas: { min: 1, max: 5 }, spec: { retry: RETRY } });
    world.later(298).exit('job-1', 1).pass();
    world.later(1.3).pass();
    expect(world.latest(1).submissionNum).toBe(1);
    ask(world.later(0.7), 60 * 30);
    expect(wanted(world)).toBe(3);
  });

  test('keeps its size if the requests are unknown', () => {
    const world = service({ running: 2 });
    world.requests = null;
    world.later(6000).pass();
    expect(wanted(world)).toBe(2);
  });
});
