import { describe, expect, test } from 'vitest';
import { aJob, aJobSpec, anInstance, anOffer, aPlaceholder } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const MINUTE = 60;
const RETRY = { on_events: ['no-capacity' as const], duration: 3 * 60 * MINUTE };

/** A run whose job is in the queue of a cluster. */
function inQueue(retry: typeof RETRY | null): World {
  const world = new World({
    jobs: [aJob({ instanceId: 'inst-1', claimedBlocks: 1, spec: aJobSpec({ retry }) })],
    instances: [aPlaceholder('job-1')],
  }).creating('inst-1');
  const offer = anOffer({ backend: 'slurm' });
  world.created('inst-1', offer);
  world.pass();
  const { provisioningData } = anInstance();
  if (provisioningData === null) throw new Error('no machine');
  const waiting = { ...provisioningData, backend: 'slurm' as const, hostname: null };
  world.instances.set('inst-1', { ...world.instance(), provisioningData: waiting });
  world.jobs.set('job-1', { ...world.job('job-1'), provisioningData: waiting });
  world.hosts.clear();
  return world.observe({ state: 'pending', text: 'in the queue of partition gpu', queued: true });
}

/** The pass of the run may come first; the reason is that of the instance all the same. */
const passes = (world: World): World => {
  world.pass();
  world.instancePass();
  world.pass();
  return world;
};

describe('a job in the queue of a cluster', () => {
  test('waits for the time for which the run retries to get capacity', () => {
    const world = passes(inQueue(RETRY));
    passes(world.later(RETRY.duration - 1));
    expect(world.instance().status).toBe('provisioning');
    expect(world.job('job-1').status).toBe('provisioning');
    passes(world.later(1));
    expect(world.instance()).toMatchObject({
      status: 'terminating',
      terminationMessage:
        'It waited for 3h in the queue of the cluster (in the queue of partition gpu), as long as `retry.duration`',
    });
    expect(world.job('job-1').terminationReason).toBe('waiting_instance_limit_exceeded');
  });

  test('is without capacity when the cluster had no room, so that its run retries', () => {
    const world = passes(inQueue(RETRY));
    const text = 'Pod train-0-0 was not scheduled: 0/3 nodes are available';
    passes(world.observe({ state: 'interrupted', reason: 'no-room', text }));
    expect(world.instance()).toMatchObject({
      ...{ terminationReason: 'no_offers', terminationMessage: text },
    });
    expect(world.job('job-1')).toMatchObject({
      ...{ terminationReason: 'failed_to_start_due_to_no_capacity', terminationMessage: text },
    });
    expect(world.run.status).toBe('pending');
  });

  test('waits for twenty minutes if the run does not retry that', () => {
    const world = passes(inQueue(null));
    passes(world.later(20 * MINUTE - 1));
    expect(world.instance().status).toBe('provisioning');
    passes(world.later(1));
    expect(world.job('job-1').terminationReason).toBe('waiting_instance_limit_exceeded');
    expect(world.instance().terminationMessage).toBe(
      'It waited for 20m in the queue of the cluster (in the queue of partition gpu). Set `retry: {on_events: [no-capacity], duration: 12h}` to let it wait longer',
    );
  });

  test('has the time of every job to start once it has left the queue', () => {
    const world = passes(inQueue(RETRY));
    world.later(2 * 60 * MINUTE).observe({ state: 'pending', text: 'starting on gpu-1' });
    passes(passes(world).later(20 * MINUTE - 1));
    expect(world.instance().status).toBe('provisioning');
    expect(world.job('job-1').status).toBe('provisioning');
    passes(world.later(1));
    expect(world.instance()).toMatchObject({
      terminationMessage: 'The agent did not come up in 20 minutes (starting on gpu-1)',
    });
  });

  test('starts when its agent connects after hours in the queue', () => {
    const world = passes(inQueue(RETRY)).later(2 * 60 * MINUTE);
    const { provisioningData } = anInstance();
    const machine = { offer: null, provisioningData: provisioningData as never, totalBlocks: 1 };
    passes(world.observe({ state: 'ready', machine }));
    passes(world.later(5).connect('inst-1'));
    expect(world.instance().status).toBe('busy');
    expect(world.announced('job.start')).toHaveLength(1);
  });
});
