/** Initial worlds for tests of runs. */
import { aHost, aJob, aJobSpec, anInstance, aPlaceholder, placedJob } from './records.ts';
import { World } from './world.ts';

type Spec = Parameters<typeof aJobSpec>[0];

/** A run whose job was placed on an idle instance with a connected agent. */
export function placed(spec: Spec = {}, executor: 'docker' | 'process' = 'docker'): World {
  const instance = anInstance({ busyBlocks: 1 });
  return new World({
    jobs: [placedJob(instance, { spec: aJobSpec(spec) })],
    instances: [instance],
    hosts: [aHost({ executor })],
  });
}

/** The same with a running job; earlier events are cleared. */
export function running(spec: Spec = {}): World {
  const world = placed(spec);
  world.pass();
  world.settle('job.start:job-1:0', { kind: 'ok' }).running('job-1');
  world.pass();
  world.events.length = 0;
  return world;
}

/** A run whose job waits for a machine that is being created. */
export function onNewInstance(): World {
  return new World({
    jobs: [aJob({ instanceId: 'inst-1', claimedBlocks: 1 })],
    instances: [aPlaceholder('job-1')],
  }).creating('inst-1');
}
