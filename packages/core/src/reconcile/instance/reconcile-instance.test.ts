import { describe, expect, test } from 'vitest';
import {
  aFleet,
  aHost,
  aJob,
  anInstance,
  anOffer,
  aPlaceholder,
  placedJob,
} from '../testing/records.ts';
import { World } from '../testing/world.ts';

type Instance = ReturnType<typeof anInstance>;

function world(instance: Instance, fleet = aFleet()) {
  return new World({ instances: [instance], fleet, hosts: [aHost()] });
}

describe('a planned cloud machine', () => {
  const planned = () =>
    new World({ instances: [aPlaceholder('none', { provisioningJobId: null, busyBlocks: 0 })] });

  test('is ordered, created, and idle once its agent is connected', () => {
    const w = planned();
    w.instancePass();
    expect(w.announced('instance.create')[0]?.payload).toMatchObject({ offers: [], maxTries: 25 });
    w.created('inst-1');
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'provisioning', hostId: 'inst-1' });
    expect(w.instance().nextPassAt).toBe(w.now + 600_000_000);
    w.connect();
    w.instancePass();
    expect(w.instance().status).toBe('idle');
    expect(w.signals).toContainEqual({ kind: 'capacity', id: 'fleet:fleet-1' });
    expect(w.instance().nextPassAt).toBe(w.now + 300_000_000);
  });

  test.each([
    ['with an agent of its own waits for what is reported of it', 'inst-1', false],
    ['whose agent serves others too takes another pass, for it may be connected', 'local', true],
  ])('%s', (_what, hostId, isSignalled) => {
    const w = planned();
    w.instancePass();
    w.created('inst-1', anOffer({ backend: hostId === 'local' ? 'local' : 'aws' }), hostId);
    w.signals.length = 0;
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'provisioning', hostId });
    const own = w.signals.filter(({ kind }) => kind === 'instance');
    expect(own).toEqual(isSignalled ? [{ kind: 'instance', id: 'inst-1' }] : []);
  });

  test.each([
    ['becomes the last slot of the server’s machine', 3, 'provisioning'],
    ['ends where the server’s machine holds as many instances as it may', 4, 'terminated'],
  ])('%s', (_what, localInstances, status) => {
    const w = planned();
    w.localInstances = localInstances;
    w.instancePass();
    w.created('inst-1', anOffer({ backend: 'local' }));
    const decision = w.instancePass();
    expect(w.instance().status).toBe(status);
    expect(decision?.changes).toContainEqual({
      ...{ type: 'local.check', hostId: 'local', state: 'as read' },
    });
  });

  test('ends visibly as no_offers if no backend has one', () => {
    const w = planned();
    w.instancePass();
    w.settle('instance.create:inst-1:0', { kind: 'no-capacity', message: 'No offers found' });
    w.instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminated',
      deleted: false,
      terminationReason: 'no_offers',
    });
    expect(w.events).toContain(
      'Instance status changed PENDING -> TERMINATED. Termination reason: NO_OFFERS (No offers found)',
    );
  });

  test('is ended when its agent never comes up, by the limit of its backend', () => {
    const offer = anOffer({ backend: 'runpod' });
    const w = world(anInstance({ status: 'provisioning', offer }));
    w.hosts.clear();
    w.later(1199).instancePass();
    expect(w.instance().status).toBe('provisioning');
    w.later(1).instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'provisioning_timeout',
    });
  });

  test('without an answer of its worker is never given up, but the worker is signalled', () => {
    const w = planned();
    w.instancePass();
    w.signals.length = 0;
    w.later(600).instancePass();
    expect(w.signals).toContainEqual({ kind: 'intent', id: 'instance.create:inst-1:0' });
    expect(w.instance()).toMatchObject({ status: 'pending', nextPassAt: w.now + 600_000_000 });
  });
});

describe('an instance that waits for the master of its cluster', () => {
  const cluster = aFleet({ placement: 'cluster' });
  const planned = (patch: Partial<Instance> = {}) =>
    new World({
      instances: [aPlaceholder('none', { provisioningJobId: null, busyBlocks: 0, ...patch })],
      fleet: cluster,
    });
  const order = { kind: 'intent', id: 'instance.create:inst-1:0' };

  test('keeps its order unsent, without asking a backend', () => {
    const w = planned();
    w.instancePass();
    expect(w.announced('instance.create')[0]?.payload).toMatchObject({ untried: true });
    const free = world(aPlaceholder('none', { provisioningJobId: null, busyBlocks: 0 }));
    free.instancePass();
    expect(free.announced('instance.create')[0]?.payload).not.toHaveProperty('untried');
  });

  test('has the order dropped as soon as it ends', () => {
    const w = planned();
    w.instancePass();
    w.instances.set('inst-1', { ...w.instance(), status: 'terminating' });
    w.signals.length = 0;
    w.instancePass();
    expect(w.signals).toContainEqual(order);
    w.settle(order.id, { kind: 'refused', reason: 'error', message: 'not needed any more' });
    w.instancePass();
    expect(w.instance().status).toBe('terminated');
  });
});

describe('a machine whose job ended before it appeared', () => {
  function orphan(patch: Partial<Instance> = {}) {
    const w = new World({
      jobs: [aJob({ instanceId: 'inst-1', claimedBlocks: 1 })],
      instances: [aPlaceholder('job-1', patch)],
    }).creating('inst-1');
    w.pass();
    w.stop();
    w.pass();
    return w;
  }

  test('is kept idle when it appears, and idles by its policy', () => {
    const w = orphan();
    w.instancePass();
    expect(w.instance().status).toBe('pending');
    w.created('inst-1');
    w.instancePass();
    expect(w.instance().status).toBe('provisioning');
    w.connect();
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', busyBlocks: 0 });
    w.later(300).instancePass();
    expect(w.instance().terminationReason).toBe('idle_timeout');
  });

  test('is ended at once when it was meant for that job alone', () => {
    const w = orphan({ idleSeconds: 0 });
    w.created('inst-1');
    w.instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'job_finished',
    });
    expect(w.announced('instance.terminate')).toHaveLength(1);
  });

  test('leaves no trace when it never appears', () => {
    const w = orphan();
    w.settle('instance.create:inst-1:0', { kind: 'no-capacity', message: '' });
    w.instancePass();
    expect(w.removedInstances).toEqual(['inst-1']);
  });

  test('leaves no trace when nothing was ordered', () => {
    const w = orphan();
    w.intents.clear();
    w.instancePass();
    expect(w.removedInstances).toEqual(['inst-1']);
  });
});

describe('an idle instance', () => {
  test('is ended exactly when its idle time is over', () => {
    const w = world(anInstance({ idleSeconds: 60 }));
    w.instancePass();
    expect(w.instance().nextPassAt).toBe(w.now + 60_000_000);
    w.now = w.instance().nextPassAt! - 1;
    w.instancePass();
    expect(w.instance().status).toBe('idle');
    w.now += 1;
    w.instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'idle_timeout',
      terminationMessage: 'Instance idle for 60 seconds',
    });
  });

  test('counts from the end of its last job', () => {
    const w = world(anInstance({ idleSeconds: 60, lastJobFinishedAt: aHost().since + 30_000_000 }));
    w.later(60).instancePass();
    expect(w.instance().status).toBe('idle');
    w.later(30).instancePass();
    expect(w.instance().status).toBe('terminating');
  });

  test('stays if its fleet requires it by `nodes.min`', () => {
    const w = world(anInstance({ idleSeconds: 60 }), aFleet({ nodes: { min: 1, max: 2 } }));
    w.later(3600).instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', nextPassAt: null });
  });

  test('stays for ever with idle_duration off', () => {
    const w = world(anInstance({ idleSeconds: null }));
    w.later(1_000_000).instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', nextPassAt: null });
  });

  test('stays forever if it is an SSH host', () => {
    const w = world(anInstance({ backend: 'remote', idleSeconds: 60 }));
    w.later(1_000_000).instancePass();
    expect(w.instance().status).toBe('idle');
  });

  test('stays while a job is on its way to it', () => {
    const instance = anInstance({ idleSeconds: 60, busyBlocks: 1 });
    const w = new World({ jobs: [placedJob(instance)], instances: [instance], hosts: [aHost()] });
    w.later(3600).instancePass();
    expect(w.instance().status).toBe('idle');
  });

  test('is replaced if the fleet now requires another region', () => {
    const w = world(anInstance(), aFleet({ regions: ['eu-west-1'] }));
    w.instancePass();
    expect(w.instance()).toMatchObject({ terminationReason: 'fleet_spec_mismatch' });
  });

  test('ends when its project may no longer run jobs on the machine of the server', () => {
    const offer = anOffer({ backend: 'local', backend_data: { withdrawn: true } });
    const w = world(anInstance({ backend: 'local', offer, idleSeconds: null }));
    w.instancePass();
    expect(w.instance()).toMatchObject({ terminationReason: 'fleet_spec_mismatch' });
  });

  test('ends with its fleet', () => {
    const w = world(anInstance(), aFleet({}, { status: 'terminating' }));
    w.instancePass();
    expect(w.instance()).toMatchObject({ terminationReason: 'terminated_by_user' });
  });
});

describe('a busy instance', () => {
  test('of another spec is left until it is idle', () => {
    const instance = anInstance({ status: 'busy', busyBlocks: 1 });
    const fleet = aFleet({ regions: ['eu-west-1'] });
    const w = new World({
      jobs: [placedJob(instance)],
      instances: [instance],
      hosts: [aHost()],
      fleet,
    });
    w.instancePass();
    expect(w.instance().status).toBe('busy');
  });

  test('without jobs heals itself', () => {
    const w = world(anInstance({ status: 'busy', busyBlocks: 3 }));
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', busyBlocks: 0, lastJobFinishedAt: w.now });
  });

  test('holds exactly the blocks that its jobs claim', () => {
    const instance = anInstance({ status: 'busy', busyBlocks: 4, totalBlocks: 4 });
    const w = new World({
      jobs: [placedJob(instance, { claimedBlocks: 2 })],
      instances: [instance],
      hosts: [aHost()],
    });
    w.instancePass();
    expect(w.instance().busyBlocks).toBe(2);
  });
});

describe('an unreachable instance', () => {
  test('is flagged after five seconds, until it is reachable again', () => {
    const w = world(anInstance({ idleSeconds: null }));
    w.disconnect().later(4).instancePass();
    expect(w.instance().unreachable).toBe(false);
    w.later(1).instancePass();
    expect(w.instance().unreachable).toBe(true);
    w.connect();
    w.instancePass();
    expect(w.instance()).toMatchObject({ unreachable: false, unreachableSince: null });
    expect(w.events).toEqual(['Instance became unreachable', 'Instance became reachable']);
  });

  test('is looked for at its backend at once, and not again while it stays unreachable', () => {
    const asked = { kind: 'observation', id: 'inst-1' } as const;
    const w = world(anInstance({ idleSeconds: null }));
    w.observe({ state: 'pending', text: '' });
    w.disconnect().later(4).instancePass();
    expect(w.signals).not.toContainEqual(asked);
    w.later(1).instancePass();
    expect(w.signals).toContainEqual(asked);
    w.signals.length = 0;
    w.later(1).instancePass();
    expect(w.signals).not.toContainEqual(asked);
  });

  test('shows the present cause until it is reachable again', () => {
    const w = world(anInstance({ idleSeconds: null }));
    w.disconnect().later(5);
    const [host] = w.hosts.values();
    w.hosts.set(host!.id, { ...host!, error: 'connection closed' });
    w.instancePass();
    expect(w.instance().terminationMessage).toBe('connection closed');
    w.hosts.set(host!.id, { ...host!, error: 'no way to it' });
    w.instancePass();
    expect(w.instance().terminationMessage).toBe('no way to it');
    w.connect();
    w.instancePass();
    expect(w.instance().terminationMessage).toBeNull();
  });

  test('is ended after twenty minutes if it is a cloud machine', () => {
    const w = world(anInstance({ idleSeconds: null }));
    w.disconnect().later(5).instancePass();
    expect(w.instance().nextPassAt).toBe(w.instance().unreachableSince! + 1_200_000_000);
    w.now = w.instance().nextPassAt!;
    w.instancePass();
    expect(w.instance().terminationReason).toBe('unreachable');
  });

  test.each(['remote', 'local', 'slurm'] as const)('is only flagged on %s', (backend) => {
    const w = world(anInstance({ idleSeconds: null, backend }));
    w.disconnect().later(5).instancePass();
    w.later(100_000).instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', unreachable: true });
  });
});
