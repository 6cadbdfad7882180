import { describe, expect, test } from 'vitest';
import { queryKey } from '../../autoscaling/index.ts';
import { aHost, aJobSpec, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const SECOND = 1_000_000;
const QUERY = { url: 'http://prometheus', query: 'sum(waiting)' };

interface Options {
  readonly running?: number;
  readonly replicas?: { readonly min: number; readonly max: number };
}

/** A service with ready replicas, and these rules. */
function service(
  rules: readonly object[],
  { running = 1, replicas = { min: 1, max: 8 } }: Options = {},
) {
  const numbers = Array.from({ length: running }, (_, n) => n);
  const instances = numbers.map((n) => anInstance({ id: `inst-${n}`, busyBlocks: 1 }));
  const world = new World({
    instances,
    jobs: numbers.map((n) =>
      placedJob(instances[n]!, {
        id: `job-${n}`,
        replicaNum: n,
        spec: aJobSpec({ replica_num: n }),
      }),
    ),
    hosts: numbers.map((n) => aHost({ id: `inst-${n}` })),
    run: { desiredReplicas: { '0': running }, status: running === 0 ? 'pending' : 'submitted' },
  });
  const delays = { window: null, scale_up_delay: 30, scale_down_delay: 300 };
  const configuration = {
    ...{ type: 'service', port: 8000, replicas, groups: null },
    scaling: { metric: 'rps', target: 1, window: null, scale_up_delay: 0, scale_down_delay: 0 },
    autoscaling: rules.map((rule) => ({ ...delays, ...rule })),
  };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  measure(world, {});
  for (const job of world.jobs.values()) world.running(job.id);
  world.pass();
  return world;
}

interface Measures {
  /** Per second, over the last minute. */
  readonly rps?: number;
  readonly concurrency?: number;
  readonly query?: number | string;
}

function measure(world: World, { rps = 0, concurrency = 0, query }: Measures) {
  world.requests = { 30: rps * 30, 60: rps * 60, 300: rps * 60 };
  const at = world.now;
  const answer =
    typeof query === 'string'
      ? { value: null, error: query, at }
      : { value: query ?? 0, error: null, at };
  world.load = {
    busySeconds: { 30: concurrency * 30, 60: concurrency * 60, 300: concurrency * 60 },
    latencies: {},
    queries: query === undefined ? {} : { [queryKey(QUERY)]: answer },
  };
  world.pass();
}

const wanted = (world: World) => world.run.desiredReplicas['0'];
const events = (world: World) => world.events.filter((text) => text.includes('scaled from'));

describe('a service with autoscaling', () => {
  test('gets replicas once a rule has required them for its delay, and an event reports why', () => {
    const world = service([{ metric: 'concurrency', target: 4 }]);
    measure(world, { rps: 1, concurrency: 12 });
    expect(world.run.nextPassAt).toBe(world.now + 5 * SECOND);
    measure(world.later(29), { rps: 1, concurrency: 10 });
    expect(wanted(world)).toBe(1);
    measure(world.later(1), { rps: 1, concurrency: 12.5 });
    expect(wanted(world)).toBe(3);
    expect(events(world)).toEqual([
      'Service scaled from 1 to 3 replicas: requests in flight are 12.5 over 1m; the target is 4 per replica, for 30s',
    ]);
    expect(world.run.autoscaling?.['0']?.last).toMatchObject({ from: 1, to: 3 });
  });

  test('ignores a peak that is shorter than the delay', () => {
    const world = service([{ metric: 'rps', target: 10 }]);
    measure(world, { rps: 50 });
    measure(world.later(20), { rps: 5 });
    measure(world.later(20), { rps: 50 });
    measure(world.later(20), { rps: 50 });
    expect(wanted(world)).toBe(1);
  });

  test('has as many replicas as the most demanding rule requires, and shrinks when all agree', () => {
    const world = service(
      [
        { metric: 'rps', target: 10 },
        { metric: 'concurrency', target: 4 },
      ],
      { running: 4 },
    );
    measure(world, { rps: 5, concurrency: 16 });
    measure(world.later(300), { rps: 5, concurrency: 16 });
    expect(wanted(world)).toBe(4);
    measure(world, { rps: 5, concurrency: 7 });
    measure(world.later(299), { rps: 5, concurrency: 5 });
    expect(wanted(world)).toBe(4);
    measure(world.later(1), { rps: 5, concurrency: 3 });
    expect(wanted(world)).toBe(2);
    expect(events(world).at(-1)).toContain('requests in flight are 3 over 1m');
  });

  test('keeps its replicas while a query fails', () => {
    const world = service([{ metric: 'prometheus', target: 5, ...QUERY }], { running: 3 });
    measure(world, { query: 'HTTP 500' });
    measure(world.later(3000), { query: 'HTTP 500' });
    expect(wanted(world)).toBe(3);
    measure(world, { query: 28 });
    measure(world.later(30), { query: 28 });
    expect(wanted(world)).toBe(6);
    expect(events(world)[0]).toContain('query sum(waiting) is 28; the target is 5 per replica');
  });

  test('has no replica only without requests and without need, and starts for either', () => {
    const range = { min: 0, max: 4 };
    const world = service([{ metric: 'prometheus', target: 5, ...QUERY }], { replicas: range });
    measure(world, { rps: 0.1, query: 0 });
    measure(world.later(600), { rps: 0.1, query: 0 });
    expect(wanted(world)).toBe(1);
    measure(world, { query: 0 });
    measure(world.later(300), { query: 0 });
    expect(wanted(world)).toBe(0);
    world.exit('job-0', 0).pass();
    measure(world.later(15), { query: 12 });
    expect(wanted(world)).toBe(3);
  });

  test('scales by the use of GPUs of its ready replicas', () => {
    const world = service([{ metric: 'gpu', target: 50 }], { running: 2 });
    const use = (...percent: number[]) => {
      for (const [n, utilization] of percent.entries()) {
        world.gpuSamples = {
          ...world.gpuSamples,
          [`job-${n}`]: [{ at: world.now, utilization: [utilization] }],
        };
      }
      world.pass();
    };
    use(90, 70);
    world.later(30);
    use(90, 70);
    expect(wanted(world)).toBe(4);
    expect(events(world)[0]).toContain('use of GPUs is 80 % over 1m; the target is 50 %');
  });
});
