import { describe, expect, test } from 'vitest';
import { groupRecord } from '../../testing/records.ts';
import { aHost, anInstance, aPlaceholder } from '../testing/records.ts';
import { World } from '../testing/world.ts';

describe('termination', () => {
  const ending = () =>
    new World({ instances: [anInstance({ status: 'terminating' })], hosts: [aHost()] });

  test('ends once, when the backend confirms it', () => {
    const w = ending();
    w.instancePass();
    expect(w.announced('instance.terminate')).toHaveLength(1);
    expect(w.instancePass()?.changes).toEqual([]);
    w.settle('instance.terminate:inst-1:0', { kind: 'ok' });
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminated', deleted: true, deletedAt: w.now });
    expect(w.signals).toContainEqual({ kind: 'fleet', id: 'fleet-1' });
    expect(w.instancePass()?.changes).toEqual([]);
  });

  test('is ordered again and again, at growing intervals, and never given up', () => {
    const w = ending();
    w.instancePass();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      w.settle(`instance.terminate:inst-1:${attempt}`, { kind: 'ok' }, 'not yet');
      w.instancePass();
      const at = w.instance().nextPassAt ?? 0;
      waits.push((at - w.now) / 1_000_000);
      w.now = at;
      w.instancePass();
    }
    expect(waits.slice(0, 6)).toEqual([30, 30, 60, 120, 300, 600]);
    expect(waits.at(-1)).toBe(600);
    expect(w.instance().status).toBe('terminating');
  });

  test('of a machine whose backend was removed ends with an alarm that names it', () => {
    const w = ending();
    const begun = w.now;
    w.instancePass();
    const refused = { kind: 'refused', reason: 'backend_missing', message: 'gone' } as const;
    for (let attempt = 0; w.instance().status === 'terminating'; attempt++) {
      w.settle(`instance.terminate:inst-1:${attempt}`, refused);
      w.instancePass();
      if (w.instance().status !== 'terminating') break;
      w.now = w.instance().nextPassAt ?? 0;
      w.instancePass();
    }
    expect(w.now - begun).toBe(900_000_000);
    expect(w.instance()).toMatchObject({ status: 'terminated', deleted: true });
    const alarm = 'Machine of instance cloud-0 (i-1, 10.0.0.1) in aws/us-east-1 may still run';
    expect(w.events.join('\n')).toContain(alarm);
    expect(w.alarms.join()).toContain(alarm);
  });

  test('continues if the removed backend is configured again in time', () => {
    const w = ending();
    w.instancePass();
    const refused = { kind: 'refused', reason: 'backend_missing', message: 'gone' } as const;
    w.settle('instance.terminate:inst-1:0', refused);
    w.instancePass();
    w.later(30);
    w.instancePass();
    w.settle('instance.terminate:inst-1:1', { kind: 'ok' });
    w.instancePass();
    expect(w.instance().status).toBe('terminated');
    expect(w.alarms).toEqual([]);
  });

  test('of a machine that is still being created waits for it and then terminates it', () => {
    const w = new World({
      instances: [aPlaceholder('gone', { status: 'terminating', busyBlocks: 0 })],
    }).creating('inst-1');
    w.instancePass();
    expect(w.announced('instance.terminate')).toEqual([]);
    w.created('inst-1');
    w.instancePass();
    expect(w.instance().provisioningData).not.toBeNull();
    expect(w.announced('instance.terminate')).toHaveLength(1);
  });
});

describe('an instance of a compute group', () => {
  const ending = (group: Parameters<typeof groupRecord>[0]) => {
    const w = new World({ instances: [anInstance({ status: 'terminating', groupId: 'group-1' })] });
    w.groups.set('group-1', groupRecord({ kind: 'compute', ...group }));
    return w;
  };

  test('is not ended by itself: its group is, with all of its machines', () => {
    const w = ending({ status: 'ready' });
    w.instancePass();
    expect(w.announced('instance.terminate')).toEqual([]);
    expect(w.instance().status).toBe('terminating');
    expect(w.signals).toContainEqual({ kind: 'group', id: 'group-1' });
  });

  test.each(['deleted', 'failed'] as const)('has ended when its group has %s', (status) => {
    const w = ending({ status, deleted: true });
    w.instancePass();
    expect(w.instance()).toMatchObject({ status: 'terminated', deleted: true });
  });
});
