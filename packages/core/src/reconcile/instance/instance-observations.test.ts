import { describe, expect, test } from 'vitest';
import { notObserved } from '../../instances/index.ts';
import { aFleet, aHost, anInstance, aPlaceholder } from '../testing/records.ts';
import { World } from '../testing/world.ts';

type Instance = ReturnType<typeof anInstance>;

function world(instance: Instance, fleet = aFleet()) {
  return new World({ instances: [instance], fleet, hosts: [aHost()] });
}

describe('an SSH host', () => {
  const host = () =>
    world(
      anInstance({
        backend: 'remote',
        status: 'pending',
        offer: null,
        idleSeconds: null,
        startedAt: null,
        totalBlocks: null,
        hostId: 'inst-1',
      }),
      aFleet({ nodes: null, ssh_config: { hosts: [] } as never }),
    );

  const handle = { id: 'inst-1', data: null };
  const taken = () => {
    const w = host();
    w.instancePass();
    const hostId = 'inst-1';
    const created = { offer: null, handle, provisioningData: null, hostId } as const;
    w.settle('instance.create:inst-1:0', { kind: 'instance.created', ...created });
    w.instancePass();
    return w;
  };
  const machine = () => {
    const { offer, provisioningData } = anInstance();
    if (provisioningData === null) throw new Error('no machine');
    return { offer, provisioningData, totalBlocks: 2 };
  };

  test('is taken over from its backend, described after its agent has connected, then idle', () => {
    const w = taken();
    expect(w.instance()).toMatchObject({ status: 'pending', handle, hostId: 'inst-1' });
    w.connect('inst-1', { connected: false, error: 'Waiting for the agent' });
    w.instancePass();
    expect(w.instance()).toMatchObject({
      status: 'pending',
      terminationMessage: 'Waiting for the agent',
    });
    w.connect('inst-1').instancePass();
    expect(w.signals).toContainEqual({ kind: 'observation', id: 'inst-1' });
    expect(w.instance().status).toBe('pending');
    w.observe({ state: 'ready', machine: machine() }).instancePass();
    expect(w.instance()).toMatchObject({
      ...{ status: 'idle', terminationMessage: null, totalBlocks: 2 },
      provisioningData: machine().provisioningData,
    });
  });

  test('that can never work is released at once and stays visible with the reason', () => {
    const w = taken();
    const message = 'No Docker';
    w.connect('inst-1', { connected: false, failed: true, error: message }).instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminating', terminationMessage: message });
    w.settle('instance.terminate:inst-1:0', { kind: 'ok' }).instancePass();
    expect(w.instance()).toMatchObject({
      ...{ status: 'terminated', deleted: false },
      ...{ terminationReason: 'error', terminationMessage: message },
    });
  });

  test('whose machine its fleet cannot use is released with the reason', () => {
    const w = taken().connect('inst-1');
    const text = 'Cannot split into blocks';
    w.observe({ state: 'interrupted', reason: 'refused', text }).instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminating', terminationMessage: text });
  });

  test('loses its agent when it is removed, which has a deadline', () => {
    const w = taken();
    const leaving = { status: 'terminating', statusChangedAt: w.now } as const;
    const terminationReason = 'terminated_by_user';
    w.instances.set('inst-1', { ...w.instance(), ...leaving, terminationReason });
    w.instancePass();
    expect(w.announced('instance.terminate')).toHaveLength(1);
    expect(w.instance().status).toBe('terminating');
    w.later(120).instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminated', deleted: true });
  });

  test('that cannot be added in ten minutes is released with the reason', () => {
    const w = taken();
    w.connect('inst-1', { connected: false, error: 'Permission denied' });
    w.later(600).instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'provisioning_timeout',
      terminationMessage: 'Permission denied',
    });
  });

  test('that was never contacted is released without an order', () => {
    const w = host();
    w.instances.set('inst-1', { ...w.instance(), status: 'terminating' });
    w.instancePass();
    expect(w.instance().status).toBe('terminated');
    expect(w.intents.size).toBe(0);
  });
});

describe('what a backend reports of an instance', () => {
  const provisioning = () => {
    const { provisioningData } = anInstance();
    if (provisioningData === null) throw new Error('no machine');
    const waiting = { ...provisioningData, hostname: null };
    const w = world(anInstance({ status: 'provisioning', provisioningData: waiting }));
    return { w, machine: { offer: null, provisioningData, totalBlocks: null } };
  };

  test('the address of a ready instance is recorded, and it is in service once its agent connects', () => {
    const { w, machine } = provisioning();
    w.connect('inst-1').instancePass();
    expect(w.instance().status).toBe('provisioning');
    w.observe({ state: 'ready', machine }).instancePass();
    expect(w.instance().status).toBe('idle');
    expect(w.instance().provisioningData).toEqual(machine.provisioningData);
  });

  test('a machine whose provider reports no price is shown with that of its offer', () => {
    const { w, machine } = provisioning();
    const unpriced = { ...machine.provisioningData, price: 0 };
    w.observe({ state: 'ready', machine: { ...machine, provisioningData: unpriced } });
    w.connect('inst-1').instancePass();
    const { offer, price, provisioningData } = w.instance();
    expect(offer?.price).toBeGreaterThan(0);
    expect([price, provisioningData?.price]).toEqual([offer?.price, offer?.price]);
  });

  test('an interruption ends it in any status, with the reason of its backend', () => {
    const { w } = provisioning();
    w.observe({ state: 'interrupted', reason: 'failed', text: 'quota exceeded' }).instancePass();
    expect(w.instance()).toMatchObject({
      ...{ status: 'terminating', terminationReason: 'error' },
      terminationMessage: 'quota exceeded',
    });
    const up = world(anInstance()).connect('inst-1');
    up.observe({ state: 'interrupted', reason: 'spot', text: 'taken back' }).instancePass();
    expect(up.instance()).toMatchObject({
      ...{ status: 'terminating', terminationReason: 'interrupted' },
      terminationMessage: 'taken back',
    });
    const full = world(anInstance()).connect('inst-1');
    full.observe({ state: 'interrupted', reason: 'memory', text: 'OOMKilled' }).instancePass();
    expect(full.instance()).toMatchObject({ terminationReason: 'out_of_memory' });
  });

  test('it ends when it has been missing for a minute, not before', () => {
    const w = world(anInstance()).connect('inst-1');
    w.observe({ state: 'missing' }).instancePass();
    expect(w.instance().status).toBe('idle');
    expect(w.instance().nextPassAt).toBe(w.now + 60_000_000);
    w.later(60).instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminating', terminationReason: 'interrupted' });
  });

  test('it does not end while the backend does not confirm that it is missing', () => {
    const w = world(anInstance()).connect('inst-1');
    w.observe({ state: 'missing' }).instancePass();
    const asked = w.observations.get('inst-1');
    if (!asked) throw new Error('it was not observed');
    w.observations.set('inst-1', notObserved(asked, 'no answer', w.now));
    w.later(90).instancePass();
    expect(w.instance().status).toBe('idle');
    w.observations.set('inst-1', { ...asked, checkedAt: w.now });
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminating', terminationReason: 'interrupted' });
  });

  test('the stage it is in is named when it does not come up in time', () => {
    const { w } = provisioning();
    w.observe({ state: 'pending', text: 'installing drivers' }).later(600).instancePass();
    expect(w.instance().terminationMessage).toBe(
      'The agent did not come up in 10 minutes (installing drivers)',
    );
  });
});

describe('the stage that a backend reports', () => {
  test('begins with the order, and goes on with the way to the agent of a machine that is ready', () => {
    const w = new World({
      instances: [aPlaceholder('none', { provisioningJobId: null, busyBlocks: 0 })],
    });
    w.instancePass();
    w.created('inst-1');
    w.instancePass();
    const stages = [w.instance().terminationMessage];
    const seen = () => void stages.push(w.instance().terminationMessage);
    w.instancePass();
    seen();
    w.observe({ state: 'pending', text: '' }).instancePass();
    seen();
    w.observe({ state: 'pending', text: 'booting' }).instancePass();
    seen();
    w.observe({ state: 'ready', machine: null }).instancePass();
    seen();
    expect(stages).toEqual(['ordered', 'ordered', 'ordered', 'booting', 'connecting']);
    expect(w.events.filter((text) => text.includes('provisioned'))).toEqual([
      'Instance is being provisioned: booting',
      'Instance is being provisioned: connecting',
    ]);
  });

  test('with an amount is an event once, however often the amount grows', () => {
    const w = new World({ instances: [anInstance({ status: 'provisioning' })] });
    for (const sent of [0, 12, 43]) {
      w.observe({ state: 'pending', text: `Installing the agent (${sent} of 45 MB)` });
      w.instancePass();
      expect(w.instance().terminationMessage).toContain(`${sent} of 45 MB`);
    }
    expect(w.events).toEqual(['Instance is being provisioned: Installing the agent']);
  });

  test('is shown with the instance and recorded once, until the instance is in service', () => {
    const { provisioningData } = anInstance();
    const waiting = provisioningData && { ...provisioningData, hostname: null };
    const w = world(anInstance({ status: 'provisioning', provisioningData: waiting }));
    w.observe({ state: 'pending', text: 'booting' }).instancePass();
    w.instancePass();
    expect(w.instance().terminationMessage).toBe('booting');
    expect(w.events).toEqual(['Instance is being provisioned: booting']);
    if (provisioningData === null) throw new Error('no machine');
    w.observe({ state: 'ready', machine: { offer: null, provisioningData, totalBlocks: null } });
    w.connect('inst-1').instancePass();
    expect(w.instance()).toMatchObject({ status: 'idle', terminationMessage: null });
  });

  test('on the way to its agent is shown, and an event when the agent is installed', () => {
    const w = world(anInstance({ status: 'provisioning' }));
    const stages = [
      ...['10.0.0.9: Connecting to 10.0.0.9', '10.0.0.9: connection refused'],
      ...[0, 20, 43].map((sent) => `10.0.0.9: Installing the agent (${sent} of 68 MB)`),
    ];
    for (const error of stages) {
      w.hosts.set('inst-1', aHost({ id: 'inst-1', connected: false, error }));
      w.instancePass();
      expect(w.instance().terminationMessage).toBe(error);
    }
    expect(w.events).toEqual(['Instance is being provisioned: 10.0.0.9: Installing the agent']);
  });
});
