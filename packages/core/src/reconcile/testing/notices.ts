/** A task whose jobs get notice that they have to leave. */
import { aHost, aJobSpec, anInstance, placedJob } from './records.ts';
import { World } from './world.ts';

export type NoticeSpec = Parameters<typeof aJobSpec>[0];

interface Options {
  readonly nodes?: number;
  readonly spec?: NoticeSpec;
  readonly isRunning?: boolean;
}

/** A task without `retry`, with a host for each node. */
export function task({ nodes = 1, spec = {}, isRunning = true }: Options = {}): World {
  const nums = Array.from({ length: nodes }, (_, n) => n);
  const instances = nums.map((n) =>
    anInstance({ id: `inst-${n}`, name: `lab-${n}`, busyBlocks: 1, backend: 'remote' }),
  );
  const jobs = instances.map((instance, n) =>
    placedJob(instance, {
      id: `job-${n}`,
      jobNum: n,
      spec: aJobSpec({ ...spec, job_num: n, jobs_per_replica: nodes }),
    }),
  );
  const hosts = nums.map((n) => aHost({ id: `inst-${n}` }));
  const world = new World({ jobs, instances, hosts });
  world.pass();
  if (isRunning) for (const { id } of jobs) world.running(id);
  world.pass();
  world.events.length = 0;
  return world;
}

export function drain(world: World, seconds = 600, id = 'inst-0'): World {
  const instance = world.instance(id);
  world.instances.set(id, {
    ...instance,
    version: instance.version + 1,
    scheduling: {
      ...{ state: 'draining', reason: 'a fan', by: 'ann', since: world.now, until: null },
      seconds,
    } as const,
  });
  world.pass();
  return world;
}

export function uncordon(world: World, id = 'inst-0'): World {
  const instance = world.instance(id);
  world.instances.set(id, { ...instance, version: instance.version + 1, scheduling: null });
  world.pass();
  return world;
}

/** The agent has received the order. */
export function deliver(world: World, attempt = 0, id = 'job-0'): World {
  world.settle(`job.notice:${id}:${attempt}`, { kind: 'ok' });
  world.pass();
  return world;
}

export const UNSUPPORTED = { kind: 'refused', reason: 'unsupported', message: 'old' } as const;
/** Whether each order to stop leaves the job its grace. */
export const stops = (world: World) =>
  world.announced('job.stop').map(({ payload }) => payload.kind === 'job.stop' && payload.grace);
export const orders = (world: World) =>
  [...world.intents.values()].filter(({ kind }) => kind === 'job.notice');
