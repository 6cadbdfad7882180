import { describe, expect, it } from 'vitest';
import { cordonInstance, uncordonInstance } from '../../instances/index.ts';
import { aHost, anInstance, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const ANN = { userId: 'ann', token: null, address: null };
const CAPACITY = { kind: 'capacity', id: 'fleet:fleet-1' };
const MINUTE = 60_000_000;

function cordoned(until: number | null, patch: Parameters<typeof anInstance>[0] = {}) {
  const scheduling = { state: 'cordoned', reason: 'a fan', by: 'ann', since: 0, until } as const;
  const instances = [anInstance({ backend: 'remote', ...patch, scheduling })];
  return new World({ instances, hosts: [aHost()] });
}

describe('a cordon', () => {
  it('is recorded with user, reason and end, and wakes what shared a hold with the instance', () => {
    const until = Date.UTC(2026, 11, 1) * 1000;
    const decision = cordonInstance(
      { instance: anInstance(), jobs: [] },
      { by: 'ann', reason: 'a fan', until },
      { actor: ANN, now: 7 },
    );
    expect(decision?.changes).toContainEqual(
      expect.objectContaining({
        set: { scheduling: { state: 'cordoned', reason: 'a fan', by: 'ann', since: 7, until } },
      }),
    );
    const events = decision?.changes.filter(({ type }) => type === 'event');
    expect(events).toMatchObject([
      {
        event: {
          action: 'instance.cordoned',
          data: { until: '2026-12-01T00:00:00Z', reason: 'a fan' },
          actor: ANN,
        },
      },
    ]);
    expect(decision?.signals).toContainEqual(CAPACITY);
    expect(decision?.signals).toContainEqual({ kind: 'instance', id: 'inst-1' });
  });

  it('is not written again while nothing of it changes', () => {
    const cordon = { by: 'bob', reason: 'a fan', until: null };
    const held = { instance: cordoned(null).instance(), jobs: [] };
    expect(cordonInstance(held, cordon, { actor: ANN, now: 9 })).toBeNull();
    expect(cordonInstance(held, { ...cordon, until: 10 }, { actor: ANN, now: 9 })).not.toBeNull();
    expect(
      uncordonInstance({ instance: anInstance(), jobs: [] }, { actor: ANN, now: 9 }),
    ).toBeNull();
  });

  it('ends at its time, whatever the status of the instance, and wakes what waits', () => {
    for (const status of ['idle', 'busy', 'provisioning'] as const) {
      const start = cordoned(null, { status }).now;
      const w = cordoned(start + 90 * MINUTE, { status });
      w.instancePass();
      expect(w.instance().scheduling).not.toBeNull();
      w.signals.length = 0;
      w.later(90 * 60);
      w.instancePass();
      expect(w.instance().scheduling, status).toBeNull();
      expect(w.events).toContain('Instance uncordoned: the time of its cordon is over');
      expect(w.signals).toContainEqual(CAPACITY);
    }
  });

  it('arms the timer of its end', () => {
    const start = cordoned(null).now;
    const w = cordoned(start + 90 * MINUTE);
    w.instancePass();
    expect(w.instance().nextPassAt).toBe(start + 90 * MINUTE);
  });

  it('gets a pass when its last job leaves, for the end of the cordon or of a drain', () => {
    for (const scheduling of [
      { state: 'cordoned', reason: null, by: 'ann', since: 0, until: 9e15 },
      { state: 'draining', reason: null, by: 'ann', since: 0, until: null, seconds: 60 },
    ] as const) {
      const instance = anInstance({ backend: 'remote', busyBlocks: 1, scheduling });
      const w = new World({ instances: [instance], hosts: [aHost()], jobs: [placedJob(instance)] });
      w.running('job-1').pass();
      w.signals.length = 0;
      w.exit('job-1', 0).pass();
      expect(w.signals).toContainEqual({ kind: 'instance', id: 'inst-1' });
      w.instancePass();
      const drained = scheduling.state === 'draining' ? w.now : undefined;
      expect(w.instance().scheduling?.drainedAt).toBe(drained);
    }
  });

  it('without an end lasts, and does not keep a machine that costs money from ending when idle', () => {
    const w = cordoned(null, { backend: 'aws' });
    w.later(3600).instancePass();
    expect(w.instance()).toMatchObject({
      status: 'terminating',
      terminationReason: 'idle_timeout',
      scheduling: { state: 'cordoned' },
    });
  });
});
