/** Builds services with their replicas for tests. */
import type { JobRecord } from '../../model/index.ts';
import { aHost, aJobSpec, anInstance, placedJob } from './records.ts';
import { World } from './world.ts';

export const RETRY = { on_events: ['error' as const], duration: 3600 };

interface Options {
  readonly groups?: Record<string, number>;
  readonly spec?: Parameters<typeof aJobSpec>[0];
  readonly cron?: string;
}

/** A service with as many ready replicas as desired. */
export function service({ groups = { '0': 2 }, spec = {} }: Options = {}) {
  const names = Object.entries(groups).flatMap(([group, n]) => Array<string>(n).fill(group));
  const instances = names.map((_, n) => anInstance({ id: `inst-${n}`, busyBlocks: 1 }));
  const jobs = instances.map((instance, n) =>
    placedJob(instance, {
      id: `job-${n}`,
      replicaNum: n,
      spec: aJobSpec({ ...spec, replica_num: n, replica_group: names[n] ?? '0' }),
    }),
  );
  const world = new World({
    jobs,
    instances,
    hosts: names.map((_, n) => aHost({ id: `inst-${n}` })),
    run: { desiredReplicas: groups },
  });
  const configuration = { type: 'service', port: 8000 };
  world.run = { ...world.run, spec: { ...world.run.spec, configuration } as never };
  for (const job of jobs) world.running(job.id);
  world.pass();
  world.events.length = 0;
  return world;
}

export const want = (world: World, groups: Record<string, number>) => {
  world.run = { ...world.run, desiredReplicas: groups };
  world.pass();
};

export const alive = (world: World): JobRecord[] =>
  [...world.jobs.values()].filter(
    (job) => job.finishedAt === null && job.terminationReason === null,
  );

/** Gives every submitted job an instance of its own, whose agent starts it at once. */
export function placeAll(world: World, run = true) {
  for (const job of [...world.jobs.values()].filter((one) => one.status === 'submitted')) {
    const instance = anInstance({ id: `inst-${job.id}`, busyBlocks: 1 });
    world.instances.set(instance.id, instance);
    world.connect(instance.id);
    const { provisioningData, runtimeData } = placedJob(instance);
    world.jobs.set(job.id, {
      ...job,
      status: 'provisioning',
      instanceId: instance.id,
      claimedBlocks: 1,
      provisioningData,
      runtimeData,
      provisionedAt: world.now,
      refusal: null,
      waitingSince: null,
    });
    if (run) world.running(job.id);
  }
  world.pass();
}

/** Placement finds no place for a job. */
export function refuse(world: World, job: JobRecord) {
  world.jobs.set(job.id, { ...job, refusal: { kind: 'no-fleets' }, version: job.version + 1 });
  world.pass();
}

/** Ends every job that was ordered to stop. */
export function obey(world: World) {
  for (const intent of world.announced('job.stop')) {
    if (world.job(intent.subjectId).finishedAt === null) world.exit(intent.subjectId, 0);
  }
  world.pass();
}
