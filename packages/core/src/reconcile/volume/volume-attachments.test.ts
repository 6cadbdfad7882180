import { describe, expect, test } from 'vitest';
import { SECOND } from '../../model/values.ts';
import { volumeRecord } from '../../testing/records.ts';
import { anInstance, T0 } from '../testing/records.ts';
import { VolumeWorld } from '../testing/volumes.ts';

describe('an attachment', () => {
  const attach = (world: VolumeWorld) => {
    world.pass();
    return world.settle('volume.attach', { kind: 'volume.attached', device: '/dev/sdf' });
  };

  test('is made for a job, and its run is signalled', () => {
    const world = new VolumeWorld().use();
    world.pass();
    expect(world.only()).toMatchObject({ instanceId: 'inst-1', status: 'attaching' });
    expect(world.announced()).toMatchObject([
      { payload: { kind: 'volume.attach', volumeId: 'volume', instanceId: 'inst-1' } },
    ]);
    world.settle('volume.attach', { kind: 'volume.attached', device: '/dev/sdf' }).pass();
    expect(world.only()).toMatchObject({
      ...{ status: 'attached', attachmentData: { device_name: '/dev/sdf' } },
    });
    expect(world.signals).toContainEqual({ kind: 'run', id: 'run-1' });
    expect(world.events).toEqual(['Volume attached to instance']);
  });

  test.each([
    ['a machine that is not there yet', { handle: null }, {}],
    ['a machine that ends', { status: 'terminating' }, {}],
    ['a job that has finished', {}, { status: 'done' }],
  ] as const)('is not made for %s', (_what, instance, job) => {
    const world = new VolumeWorld({ instances: [anInstance(instance)] }).use(
      'job-1',
      'inst-1',
      job,
    );
    world.pass();
    expect(world.attachments.size).toBe(0);
  });

  test('fails with the reason of the backend, or at its deadline', () => {
    const refused = new VolumeWorld().use();
    refused.pass();
    refused.refuse('volume.attach', 'zone mismatch').pass();
    expect(refused.only()).toMatchObject({ status: 'failed', error: 'zone mismatch' });
    const late = new VolumeWorld().use();
    late.pass();
    late.later(300).pass();
    expect(late.only()).toMatchObject({ status: 'failed' });
    expect(late.signals).toContainEqual({ kind: 'run', id: 'run-1' });
  });

  test('ends when the last job of the instance has left', () => {
    const world = attach(new VolumeWorld().use('a').use('b'));
    world.pass();
    world.release('a').pass();
    expect(world.only().status).toBe('attached');
    world.release('b').pass();
    expect(world.only().status).toBe('detaching');
    expect(world.announced()).toMatchObject([{ payload: { kind: 'volume.detach', force: false } }]);
    world.later(1).settle('volume.detach', { kind: 'ok' }).pass();
    expect(world.attachments.size).toBe(0);
    expect(world.volume.lastJobProcessedAt).toBe(T0 + SECOND);
    expect(world.signals).toEqual(
      expect.arrayContaining([
        { kind: 'run', id: 'run-1' },
        { kind: 'capacity', id: 'project:project-1' },
      ]),
    );
    expect(world.events.at(-1)).toBe('Volume detached from instance');
  });

  test('is made again for a job that comes while it ends', () => {
    const world = attach(new VolumeWorld().use('a'));
    world.pass();
    world.release('a').pass();
    world.use('b').pass();
    expect(world.only().status).toBe('detaching');
    world.settle('volume.detach', { kind: 'ok' }).pass();
    expect(world.only()).toMatchObject({ status: 'attaching' });
  });

  test('to a second instance waits for the first where only one may have it', () => {
    const instances = [anInstance(), anInstance({ id: 'inst-2' })];
    const world = attach(new VolumeWorld({ instances }).use('a'));
    world.pass();
    world.use('b', 'inst-2').pass();
    expect(world.only().instanceId).toBe('inst-1');
    world.release('a').pass();
    world.settle('volume.detach', { kind: 'ok' }).leave('a').pass();
    expect(world.only()).toMatchObject({ instanceId: 'inst-2', status: 'attaching' });
    const shared = new VolumeWorld({ instances, volume: volumeRecord({ shared: true }) });
    shared.use('a').use('b', 'inst-2').pass();
    expect(shared.attachments.size).toBe(2);
  });

  test('that never ends is ended by force, after `stop_duration` or a minute after an abort', () => {
    const forcedAfter = (patch: object) => {
      const world = attach(new VolumeWorld().use('a', 'inst-1', patch));
      world.pass();
      world.release('a').pass();
      const at = world.volume.nextPassAt ?? 0;
      world.now = at;
      world.pass();
      const orders = [...world.intents.values()].filter(({ kind }) => kind === 'volume.detach');
      expect(orders.map(({ state }) => state)).toEqual(['failed', 'announced']);
      expect(orders[1]?.payload).toMatchObject({ force: true });
      return (at - T0) / SECOND;
    };
    const spec = (stop_duration: number | null) => ({
      spec: { ...new VolumeWorld().use().uses.get('job-1')?.job.spec, stop_duration },
    });
    expect(forcedAfter(spec(70))).toBe(70);
    expect(forcedAfter(spec(10))).toBe(60);
    expect(forcedAfter(spec(null))).toBe(300);
    expect(forcedAfter({ ...spec(900), terminationReason: 'aborted_by_user' })).toBe(60);
  });

  test('is asked to end again while the backend refuses', () => {
    const world = attach(new VolumeWorld().use());
    world.pass();
    world.release().pass();
    world.refuse('volume.detach', 'busy').pass();
    expect(world.only()).toMatchObject({ status: 'detaching', error: 'busy' });
    world.now = world.volume.nextPassAt ?? 0;
    world.pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.detach', attempt: 1 }]);
  });

  test('is deleted with its instance', () => {
    const world = attach(new VolumeWorld().use());
    world.pass();
    world.instances.set('inst-1', anInstance({ status: 'terminated', deleted: true }));
    world.leave().pass();
    expect(world.attachments.size).toBe(0);
  });

  test('under way is undone only after its worker has stopped', () => {
    const world = new VolumeWorld().use();
    world.pass();
    world.release().pass();
    expect(world.only().status).toBe('detaching');
    expect(world.announced()).toMatchObject([{ kind: 'volume.attach' }]);
    expect(world.signals).toContainEqual({ kind: 'intent', id: 'volume.attach:attachment-1:0' });
    world.refuse('volume.attach', 'not wanted any more').pass();
    expect(world.announced()).toMatchObject([{ kind: 'volume.detach' }]);
  });

  test('that was made too late begins and ends without an event', () => {
    const world = new VolumeWorld().use();
    world.pass();
    world.release().pass();
    world.settle('volume.attach', { kind: 'volume.attached', device: '/dev/sdf' }).pass();
    world.settle('volume.detach', { kind: 'ok' }).pass();
    expect(world.attachments.size).toBe(0);
    expect(world.events).toEqual([]);
  });
});
