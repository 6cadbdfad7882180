import { describe, expect, it } from 'vitest';
import { isJobRunning } from '../../status/index.ts';
import { alive, obey, placeAll, refuse, service } from '../testing/services.ts';
import type { World } from '../testing/world.ts';

function drain(world: World, id: string, seconds = 600): void {
  const instance = world.instance(id);
  world.instances.set(id, {
    ...instance,
    version: instance.version + 1,
    scheduling: {
      ...{ state: 'draining', reason: null, by: 'ann', since: world.now, until: null },
      seconds,
    } as const,
  });
}

const ready = (world: World) => alive(world).filter((job) => job.ready && isJobRunning(job.status));
const at = (world: World, id: string) => ready(world).some((job) => job.instanceId === id);

describe('a replica on a drained instance', () => {
  it('goes on until another one serves in its place, and ends without notice', () => {
    const world = service();
    drain(world, 'inst-0');
    world.pass();
    expect(alive(world)).toHaveLength(3);
    expect(world.job('job-0').notice).toBeNull();
    world.later(60).pass();
    expect(at(world, 'inst-0')).toBe(true);
    placeAll(world);
    // It has no probes, so it has to run for a while first.
    expect(world.job('job-0').terminationReason).toBeNull();
    world.later(11).pass();
    expect(world.job('job-0').terminationReason).toBe('scaled_down');
    expect(ready(world)).toHaveLength(2);
    obey(world);
    world.later(3600).pass();
    expect(alive(world)).toHaveLength(2);
    expect([...world.jobs.values()]).toHaveLength(3);
  });

  it('moves once, when all hosts but one are drained, and at least one serves at each moment', () => {
    const world = service({ groups: { '0': 3 } });
    for (const id of ['inst-0', 'inst-1', 'inst-2']) drain(world, id);
    world.pass();
    expect(alive(world)).toHaveLength(6);
    const [first] = alive(world).filter((job) => job.status === 'submitted');
    if (first) placeAll(world);
    for (let step = 0; step < 20; step++) {
      world.later(11).pass();
      expect(ready(world).length).toBeGreaterThanOrEqual(3);
      obey(world);
    }
    expect([...world.jobs.values()]).toHaveLength(6);
    expect(alive(world).every(({ id }) => id.startsWith('new-'))).toBe(true);
  });

  it('gets notice in the last minute if there is no other place', () => {
    const world = service({ groups: { '0': 1 } });
    drain(world, 'inst-0');
    world.pass();
    for (const job of alive(world).filter((one) => one.status === 'submitted')) refuse(world, job);
    world.later(539).pass();
    expect(world.job('job-0').notice).toBeNull();
    world.later(2).pass();
    expect(world.job('job-0').notice).not.toBeNull();
    expect(ready(world)).toHaveLength(1);
    expect(alive(world)).toHaveLength(2);
  });

  it('is what the service goes on with, though its replacement has found no place', () => {
    const world = service({ groups: { '0': 1 } });
    drain(world, 'inst-0');
    world.pass();
    placeAll(world);
    world.later(11).pass();
    obey(world);
    world.pass();
    const [serving] = ready(world);
    if (!serving?.instanceId) throw new Error('nothing serves');
    expect(serving.replicaNum).toBe(1);
    drain(world, serving.instanceId, 60);
    world.pass();
    const [replacement] = alive(world).filter((one) => one.status === 'submitted');
    if (!replacement) throw new Error('there is no replacement');
    expect(replacement.replicaNum).toBe(0);
    refuse(world, replacement);
    world.pass();
    world.later(31).pass();
    world.exit(serving.id, 130, 'interrupted_by_no_capacity').pass();
    world.later(60).pass();
    expect(world.run.status).not.toBe('failed');
    expect(world.run.terminationReason).toBeNull();
  });

  it('stays when the drain is withdrawn, and the surplus ends', () => {
    const world = service();
    drain(world, 'inst-0');
    world.pass();
    const instance = world.instance('inst-0');
    world.instances.set('inst-0', { ...instance, version: 99, scheduling: null });
    world.pass();
    expect(world.job('job-0').terminationReason).toBeNull();
    obey(world);
    expect(alive(world)).toHaveLength(2);
  });

  it('is replaced with the delays of a retry while its replacements fail', () => {
    const world = service();
    drain(world, 'inst-0');
    world.pass();
    let submissions = 0;
    for (let step = 0; step < 20; step++) {
      placeAll(world);
      for (const job of alive(world)) {
        if (job.id.startsWith('new-') && isJobRunning(job.status)) world.exit(job.id, 1);
      }
      world.later(1).pass();
      submissions = [...world.jobs.values()].length;
    }
    expect(submissions).toBeLessThan(10);
    expect(at(world, 'inst-0')).toBe(true);
  });
});
